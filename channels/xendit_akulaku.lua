-- channels/xendit_akulaku.lua: Akulaku through Xendit, on a hosted page that offers nothing else. No refund
-- is published: it is paid out by us or by hand.
local xendit = require "xendit"

return xendit.invoice {
  title = "Akulaku (Xendit)",
  method = "paylater",
  bank = "akulaku",
  only = "AKULAKU",
  limits = { min = 1000, max = 25000000 },

  certainty = "limits from the publisher's documentation, invoices as its SDK types them",
}
