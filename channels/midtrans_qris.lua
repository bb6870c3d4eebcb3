-- channels/midtrans_qris.lua: dynamic QRIS through Midtrans' Core API; any bank's or wallet's app can
-- scan it. Refunds: 45 days for GoPay, 7 for others (off-us); Midtrans says which by refusing.
local midtrans = require "midtrans"

return midtrans.channel {
  title = "QRIS (Midtrans)",
  method = "qris",
  limits = { min = 1, max = 10000000 }, -- Bank Indonesia's limit of one payment since March 2022 [from memory]
  expires = { default = "15m", max = "5d", grace = "2m" },
  poll = { first = "2m", factor = 2, max = "30m" },
  refunds = true,
  image = "qris",

  charge = { payment_type = "qris", qris = { acquirer = "gopay" } },
  shown = function(t)
    if not t.qr_string then return {} end -- a status answer has none
    local image
    for _, a in ipairs(midtrans.list(t.actions)) do
      if a.name == "generate-qr-code" then image = a.url end
    end
    return { qr_string = t.qr_string, qr_image_url = image }
  end,

  docs = {
    keys = { MIDTRANS_SERVER_KEY = "dashboard.midtrans.com, Settings, Access Keys" },
    certainty = "publisher's documentation; HTTP statuses of errors are from memory",
  },
}
