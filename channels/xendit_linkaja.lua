-- channels/xendit_linkaja.lua: LinkAja through Xendit: its page, half an hour long. Refunds within 30
-- days and of the whole sum only. There is no cancel: what is paid after our own end is late money.
local xendit = require "xendit"

return xendit.wallet {
  title = "LinkAja (Xendit)",
  bank = "linkaja",
  code = "LINKAJA",
  limits = { min = 100, max = 10000000 }, -- the least is the other wallets'
  expires = { default = "30m", max = "30m", grace = "5m" },
  refunds = "whole",

  certainty = "limits and windows from the publisher's documentation, requests as its SDK types them",
}
