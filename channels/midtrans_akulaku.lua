-- channels/midtrans_akulaku.lua: Akulaku PayLater through Midtrans' Core API: the payer is sent to Akulaku's page.
-- No refund is documented: it is paid out by us or by hand.
local midtrans = require "midtrans"

return midtrans.channel {
  title = "Akulaku PayLater (Midtrans)", method = "paylater", bank = "akulaku",
  limits = { min = 1000, max = 25000000 }, -- what other gateways name
  expires = { default = "24h", max = "24h", grace = "15m" },
  poll = { first = "5m", factor = 2, max = "1h" },
  charge = function(_, op) return { payment_type = "akulaku", item_details = midtrans.items(op) } end,
  shown = midtrans.redirect,
}
