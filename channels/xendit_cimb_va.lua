-- channels/xendit_cimb_va.lua: CIMB Niaga virtual account through Xendit: a closed account for one payment.
-- Not refundable at Xendit: a refund is paid out by us or by hand.
local xendit = require "xendit"

return xendit.virtual_account {
  title = "CIMB Niaga Virtual Account (Xendit)",
  bank = "cimb",
  code = "CIMB",
  limits = { min = 10000, max = 50000000 }, -- BCA's: the reference has none of this bank
}
