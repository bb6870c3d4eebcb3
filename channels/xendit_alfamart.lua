-- channels/xendit_alfamart.lua: paid in cash at a till of Alfamart, by a code, through Xendit. Rp10,000 to
-- Rp5,000,000. Not refundable at Xendit: a refund is paid out by us or by hand.
local xendit = require "xendit"

return xendit.outlet {
  title = "Alfamart (Xendit)",
  bank = "alfamart",
  code = "ALFAMART",
}
