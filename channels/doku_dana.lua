-- channels/doku_dana.lua: DANA through DOKU (SNAP): the payer is sent to DANA's page or app.
local doku = require "doku"

return doku.wallet {
  title = "DANA (DOKU)", bank = "dana", code = "EMONEY_DANA_SNAP",
  limits = { min = 1000, max = 20000000 }, -- the wallet's own limit is less for accounts that are not verified
  expires = { default = "30m", max = "1d", grace = "5m" },
  certainty = "DOKU's client library; limits and lives are not DOKU's but what other gateways name",
}
