-- channels/midtrans_cimb_va.lua: CIMB Niaga virtual account through Midtrans' Core API.
-- Not refundable at Midtrans: a refund is paid out by us or by hand.
local midtrans = require "midtrans"

return midtrans.channel {
  title = "CIMB Niaga Virtual Account (Midtrans)", method = "virtual_account", bank = "cimb",
  limits = { min = 1, max = 999999999 }, -- Midtrans publishes none; the bank's own hold
  expires = { default = "24h", max = "180d", grace = "15m" },
  poll = { first = "15m", factor = 2, max = "6h" },
  charge = { payment_type = "bank_transfer", bank_transfer = { bank = "cimb" } },
  shown = midtrans.va_number "cimb",
}
