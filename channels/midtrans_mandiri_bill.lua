-- channels/midtrans_mandiri_bill.lua: Mandiri bill payment (echannel) through Midtrans' Core API. The
-- payer types a biller code and a bill key. The bank may take a settlement back within about a minute
-- (deny): the payment is then reversed. Not refundable at Midtrans.
local midtrans = require "midtrans"

return midtrans.channel {
  title = "Mandiri Bill (Midtrans)",
  method = "virtual_account",
  bank = "mandiri",
  limits = { min = 1, max = 999999999 }, -- Midtrans publishes none; the bank's own hold
  expires = { default = "24h", max = "180d", grace = "15m" },
  poll = { first = "15m", factor = 2, max = "6h" },

  charge = function(_, op)
    local about = op.input.description or op.input.order_id or op.reference
    about = about:gsub("[^%w%p ]", " "):sub(1, 30) -- bytes, which the bank's screens show
    return { payment_type = "echannel", echannel = { bill_info1 = "Payment:", bill_info2 = about } }
  end,
  shown = function(t) return { biller_code = t.biller_code, bill_key = t.bill_key } end,

  docs = {
    keys = { MIDTRANS_SERVER_KEY = "dashboard.midtrans.com, Settings, Access Keys" },
    certainty = "publisher's documentation; the longest order id (50) and HTTP statuses of errors are from memory",
  },
}
