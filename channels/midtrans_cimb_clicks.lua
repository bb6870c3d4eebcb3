-- channels/midtrans_cimb_clicks.lua: CIMB Clicks (OCTO Clicks) through Midtrans' Core API: the payer is sent to the
-- bank's page, which stays open for two hours where nothing else is asked for. Not refundable at Midtrans.
local midtrans = require "midtrans"

return midtrans.channel {
  title = "CIMB Clicks (Midtrans)", method = "bank_transfer", bank = "cimb",
  limits = { min = 10000, max = 999999999 }, -- Midtrans publishes none; the bank's own hold
  expires = { default = "2h", max = "2h", grace = "15m" },
  poll = { first = "5m", factor = 2, max = "30m" },
  charge = function(_, op)
    local about = op.input.description or op.input.order_id or op.reference
    return { payment_type = "cimb_clicks", cimb_clicks = { description = about:sub(1, 100) } }
  end,
  shown = midtrans.redirect,
  docs = { keys = midtrans.DOCS.keys, certainty = "the request is from memory, its life of two hours is documented, that it may be shorter is of all ways" },
}
