-- channels/midtrans_alfamart.lua: cash at Alfamart's tills through Midtrans' Core API: a code that the payer says
-- there. Not refundable at Midtrans: a refund is paid out by us or by hand.
local midtrans = require "midtrans"

return midtrans.channel {
  title = "Alfamart (Midtrans)", method = "retail", bank = "alfamart",
  limits = { min = 10000, max = 5000000 }, -- what other gateways name for the outlet
  expires = { default = "24h", max = "7d", grace = "15m" }, -- the longest is not documented
  poll = { first = "15m", factor = 2, max = "6h" },
  charge = { payment_type = "cstore", cstore = { store = "alfamart", message = "" } },
  shown = function(t) return { payment_code = t.payment_code, outlet = "alfamart" } end,
}
