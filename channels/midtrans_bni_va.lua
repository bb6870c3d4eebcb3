-- channels/midtrans_bni_va.lua: BNI virtual account through Midtrans' Core API.
-- Not refundable at Midtrans: a refund is paid out by us or by hand.
local midtrans = require "midtrans"

return midtrans.channel {
  title = "BNI Virtual Account (Midtrans)",
  method = "virtual_account",
  bank = "bni",
  limits = { min = 1, max = 999999999 }, -- Midtrans publishes none; the bank's own hold
  expires = { default = "24h", max = "180d", grace = "15m" },
  poll = { first = "15m", factor = 2, max = "6h" },

  charge = { payment_type = "bank_transfer", bank_transfer = { bank = "bni" } },
  shown = function(t)
    for _, v in ipairs(midtrans.list(t.va_numbers)) do
      if v.bank == "bni" then return { va_number = v.va_number } end
    end
  end,

  docs = {
    keys = { MIDTRANS_SERVER_KEY = "dashboard.midtrans.com, Settings, Access Keys" },
    certainty = "publisher's documentation; the longest order id (50) and HTTP statuses of errors are from memory",
  },
}
