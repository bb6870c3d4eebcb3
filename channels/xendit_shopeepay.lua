-- channels/xendit_shopeepay.lua: ShopeePay through Xendit: a link into its app, half an hour long. There is
-- no cancel: what is paid after our own end is late money.
local xendit = require "xendit"

return xendit.wallet {
  title = "ShopeePay (Xendit)",
  bank = "shopeepay",
  code = "SHOPEEPAY",
  limits = { min = 100, max = 20000000 },
  expires = { default = "30m", max = "30m", grace = "5m" },
  refunds = true, -- within 365 days; whether in parts, Xendit says by refusing

  certainty = "limits and windows from the publisher's documentation, requests as its SDK types them",
}
