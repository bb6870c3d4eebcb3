-- channels/midtrans_kredivo.lua: Kredivo through Midtrans' Core API: the payer is sent to Kredivo's page. It wants
-- to know who buys and where it goes. Refunds within 14 days.
local midtrans = require "midtrans"

return midtrans.channel {
  title = "Kredivo (Midtrans)", method = "paylater", bank = "kredivo",
  limits = { min = 1000, max = 30000000 }, -- what other gateways name
  expires = { default = "24h", max = "180d", grace = "15m" },
  poll = { first = "5m", factor = 2, max = "1h" },
  refunds = true,
  input = {
    customer = { type = "object", required = true, doc = "name, email and phone of the buyer" },
    shipping_address = { type = "object", required = true, doc = "first_name, last_name, address, city, postal_code, phone, country_code" },
  },
  charge = function(_, op)
    local c, to = op.input.customer, op.input.shipping_address
    return { payment_type = "kredivo", item_details = midtrans.items(op), customer_details = { first_name = c.name, email = c.email, phone = c.phone,
      shipping_address = to, billing_address = to } }
  end,
  shown = midtrans.redirect,
}
