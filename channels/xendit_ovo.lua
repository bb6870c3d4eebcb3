-- channels/xendit_ovo.lua: OVO through Xendit: the payer's app rings, and he has about 55 seconds. Once
-- sent it cannot be taken back. Xendit refunds linked accounts only, which these are not.
local xendit = require "xendit"

return xendit.wallet {
  title = "OVO (Xendit)",
  bank = "ovo",
  code = "OVO",
  limits = { min = 100, max = 20000000 },
  expires = { default = "1m", max = "1m", grace = "2m" },
  poll = { first = "1m", factor = 2, max = "30m" },
  input = { phone = { type = "string", required = true, doc = "the phone number of the OVO account, 08..." } },

  push = "Open OVO and confirm within a minute.",
  properties = function(op) return { mobile_number = xendit.phone(op.input.phone) } end,

  certainty = "limits and the 55 seconds from the publisher's documentation, requests as its SDK types them",
}
