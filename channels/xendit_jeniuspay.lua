-- channels/xendit_jeniuspay.lua: Jenius Pay through Xendit: the payer's app rings, found by his $cashtag. How
-- long he has is not published: fifteen minutes here, and what comes later is late money. No refund and no
-- cancel are published either, so there are none.
local xendit = require "xendit"

return xendit.wallet {
  title = "Jenius Pay (Xendit)",
  bank = "jenius",
  code = "JENIUSPAY",
  limits = { min = 1000, max = 20000000 }, -- the most is the other wallets'
  expires = { default = "15m", max = "15m", grace = "15m" },
  input = { cashtag = { type = "string", required = true, doc = "the payer's Jenius cashtag, $..." } },

  push = "Open Jenius and confirm the payment.",
  properties = function(op) return { cashtag = "$" .. op.input.cashtag:gsub("^%$", "") } end,

  certainty = "the least from the publisher's documentation, requests as its SDK types them; expiry is ours",
}
