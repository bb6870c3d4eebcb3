-- channels/midtrans_shopeepay.lua: ShopeePay through Midtrans' Core API: a link into the app. It gives back the
-- whole amount only, within 365 days, and nothing between 23:55 and 06:00 WIB: Midtrans says so by refusing.
local midtrans = require "midtrans"

return midtrans.channel {
  title = "ShopeePay (Midtrans)", method = "ewallet", bank = "shopeepay",
  limits = { min = 1, max = 20000000 }, -- the wallet's own limit is less for accounts that are not verified
  expires = { default = "15m", max = "5d", grace = "2m" },
  poll = { first = "2m", factor = 2, max = "30m" },
  refunds = "whole",
  charge = function(ctx, op)
    local back = op.input.return_urls and op.input.return_urls.success
    return { payment_type = "shopeepay", shopeepay = { callback_url = back or ctx.url "/" or "https://" .. ctx.host() } } -- it must be one
  end,
  shown = function(t)
    for _, a in ipairs(midtrans.list(t.actions)) do
      if a.name == "deeplink-redirect" then return { redirect_url = a.url, deeplink_url = a.url } end
    end
    return {} -- a status answer has none: what was shown stands
  end,
}
