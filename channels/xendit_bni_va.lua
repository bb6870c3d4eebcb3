-- channels/xendit_bni_va.lua: BNI virtual account through Xendit: a closed account for one payment.
-- Not refundable at Xendit: a refund is paid out by us or by hand.
local xendit = require "xendit"

return xendit.virtual_account {
  title = "BNI Virtual Account (Xendit)",
  bank = "bni",
  code = "BNI",
  limits = { min = 10000, max = 50000000 }, -- BCA's: the reference has none of this bank
}
