-- channels/xendit_kredivo.lua: Kredivo through Xendit, on a hosted page that offers nothing else: tenor and
-- account are given there. (The pay-later interface of its own has no lookup by our reference, and its plans
-- are among the least certain facts.) Refunds within 14 days.
local xendit = require "xendit"

return xendit.invoice {
  title = "Kredivo (Xendit)",
  method = "paylater",
  bank = "kredivo",
  only = "KREDIVO",
  limits = { min = 1000, max = 30000000 },
  refunds = true, -- whether in parts, Xendit says by refusing

  certainty = "limits and windows from the publisher's documentation, invoices as its SDK types them",
}
