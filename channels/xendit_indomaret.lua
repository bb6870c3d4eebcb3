-- channels/xendit_indomaret.lua: paid in cash at a till of Indomaret, by a code, through Xendit. Rp10,000 to
-- Rp5,000,000. Not refundable at Xendit: a refund is paid out by us or by hand.
local xendit = require "xendit"

return xendit.outlet {
  title = "Indomaret (Xendit)",
  bank = "indomaret",
  code = "INDOMARET",
}
