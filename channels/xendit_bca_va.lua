-- channels/xendit_bca_va.lua: BCA virtual account through Xendit: a closed account for one payment.
-- Not refundable at Xendit: a refund is paid out by us or by hand.
local xendit = require "xendit"

return xendit.virtual_account {
  title = "BCA Virtual Account (Xendit)",
  bank = "bca",
  code = "BCA",
  limits = { min = 10000, max = 50000000 },
}
