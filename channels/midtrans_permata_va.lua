-- channels/midtrans_permata_va.lua: Permata virtual account through Midtrans' Core API.
-- Not refundable at Midtrans: a refund is paid out by us or by hand.
-- Settlement may be taken back within minutes (deny): the payment is then reversed.
local midtrans = require "midtrans"

return midtrans.channel {
  title = "Permata Virtual Account (Midtrans)",
  method = "virtual_account",
  bank = "permata",
  limits = { min = 1, max = 999999999 }, -- Midtrans publishes none; the bank's own hold
  expires = { default = "24h", max = "180d", grace = "15m" },
  poll = { first = "15m", factor = 2, max = "6h" },

  charge = { payment_type = "bank_transfer", bank_transfer = { bank = "permata" } },
  shown = function(t)
    return { va_number = t.permata_va_number } -- at the top level, unlike the other banks
  end,

  docs = {
    keys = { MIDTRANS_SERVER_KEY = "dashboard.midtrans.com, Settings, Access Keys" },
    certainty = "publisher's documentation; the longest order id (50) and HTTP statuses of errors are from memory",
  },
}
