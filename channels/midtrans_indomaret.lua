-- channels/midtrans_indomaret.lua: cash at Indomaret's tills through Midtrans' Core API: a code that the payer says
-- there. Not refundable at Midtrans: a refund is paid out by us or by hand.
local midtrans = require "midtrans"

return midtrans.channel {
  title = "Indomaret (Midtrans)", method = "retail", bank = "indomaret",
  limits = { min = 10000, max = 5000000 }, -- what other gateways name for the outlet
  expires = { default = "24h", max = "7d", grace = "15m" }, -- the longest is not documented
  poll = { first = "15m", factor = 2, max = "6h" },
  charge = { payment_type = "cstore", cstore = { store = "indomaret", message = "" } },
  shown = function(t) return { payment_code = t.payment_code, outlet = "indomaret" } end,
}
