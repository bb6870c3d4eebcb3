-- channels/xendit_bri_va.lua: BRI virtual account through Xendit: a closed account for one payment.
-- Not refundable at Xendit: a refund is paid out by us or by hand.
local xendit = require "xendit"

return xendit.virtual_account {
  title = "BRI Virtual Account (Xendit)",
  bank = "bri",
  code = "BRI",
  limits = { min = 10000, max = 50000000 }, -- BCA's: the reference has none of this bank
}
