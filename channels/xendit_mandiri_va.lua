-- channels/xendit_mandiri_va.lua: Mandiri virtual account through Xendit: a closed account for one payment.
-- Not refundable at Xendit: a refund is paid out by us or by hand.
local xendit = require "xendit"

return xendit.virtual_account {
  title = "Mandiri Virtual Account (Xendit)",
  bank = "mandiri",
  code = "MANDIRI",
  limits = { min = 1, max = 50000000000 },
}
