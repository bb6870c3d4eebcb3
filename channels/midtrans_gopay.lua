-- channels/midtrans_gopay.lua: GoPay through Midtrans' Core API: a link into the app on a phone, a QR
-- code beside it. Paid by scanning, its payment_type becomes "qris": only our reference counts.
local midtrans = require "midtrans"

return midtrans.channel {
  title = "GoPay (Midtrans)",
  method = "ewallet",
  bank = "gopay",
  limits = { min = 1, max = 20000000 }, -- the wallet's own limit is less for accounts that are not verified
  expires = { default = "15m", max = "7d", grace = "2m" },
  poll = { first = "2m", factor = 2, max = "30m" },
  image = "gopay",
  refunds = true, -- 45 to 180 days, by contract

  charge = function(_, op)
    local back = op.input.return_urls and op.input.return_urls.success
    return { payment_type = "gopay", gopay = { enable_callback = back ~= nil, callback_url = back } }
  end,
  shown = function(t)
    local urls = {}
    for _, a in ipairs(midtrans.list(t.actions)) do urls[a.name] = a.url end
    local link = urls["deeplink-redirect"]
    if not link then return {} end -- a status answer has none
    return { redirect_url = link, deeplink_url = link }
  end,

  docs = {
    keys = { MIDTRANS_SERVER_KEY = "dashboard.midtrans.com, Settings, Access Keys" },
    certainty = "publisher's documentation, the shape of the samples partly from memory",
  },
}
