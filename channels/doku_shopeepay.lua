-- channels/doku_shopeepay.lua: ShopeePay through DOKU (SNAP): the payer is sent to ShopeePay's page or app.
local doku = require "doku"

return doku.wallet {
  title = "ShopeePay (DOKU)", bank = "shopeepay", code = "EMONEY_SHOPEE_PAY_SNAP",
  limits = { min = 1000, max = 20000000 }, -- the wallet's own limit is less for accounts that are not verified
  expires = { default = "30m", max = "1d", grace = "5m" },
  certainty = "DOKU's client library; limits and lives are not DOKU's but what other gateways name",
}
