-- channels/midtrans_danamon_va.lua: Danamon virtual account through Midtrans' Core API, a BI-SNAP
-- channel there: asked for and cancelled by Midtrans' own id only. Not refundable at Midtrans.
local midtrans = require "midtrans"

return midtrans.channel {
  title = "Danamon Virtual Account (Midtrans)", method = "virtual_account", bank = "danamon",
  limits = { min = 1, max = 999999999 }, -- Midtrans publishes none; the bank's own hold
  expires = { default = "24h", max = "180d", grace = "15m" },
  poll = { first = "15m", factor = 2, max = "6h" },
  by_theirs = true,
  charge = { payment_type = "bank_transfer", bank_transfer = { bank = "danamon" } },
  shown = midtrans.va_number "danamon",
  docs = { keys = midtrans.DOCS.keys, certainty = "the request is from memory, as that of other banks; that only transaction_id is taken is documented" },
}
