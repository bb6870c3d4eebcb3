-- channels/xendit_dana.lua: DANA through Xendit: its page, or its app on a phone. Xendit ends what is unpaid
-- after a day and takes no other end; there is no cancel, what is paid after our own end is late money.
local xendit = require "xendit"

return xendit.wallet {
  title = "DANA (Xendit)",
  bank = "dana",
  code = "DANA",
  limits = { min = 100, max = 20000000 },
  expires = { default = "24h", max = "24h", grace = "5m" },
  refunds = true, -- within 30 days

  certainty = "limits and windows from the publisher's documentation, requests as its SDK types them",
}
