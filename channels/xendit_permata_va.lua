-- channels/xendit_permata_va.lua: Permata virtual account through Xendit: a closed account for one payment.
-- Not refundable at Xendit: a refund is paid out by us or by hand.
local xendit = require "xendit"

return xendit.virtual_account {
  title = "Permata Virtual Account (Xendit)",
  bank = "permata",
  code = "PERMATA",
  limits = { min = 10000, max = 50000000 }, -- BCA's: the reference has none of this bank
}
