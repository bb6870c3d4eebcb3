-- channels/midtrans_snap.lua: Midtrans' Snap page, on which the payer chooses among what the merchant has
-- there. For who names it: it counts as a card, because every page has those, and whoever asks for
-- another method is better served by that channel.
local midtrans = require "midtrans"
local page = require "midtrans_page"

return midtrans.channel {
  title = "Snap page (Midtrans)", method = "card",
  limits = { min = 1, max = 999999999 }, -- each way to pay has its own
  expires = { default = "24h", max = "24h", grace = "15m" },
  poll = { first = "5m", factor = 2, max = "1h" },
  hosts = page.HOSTS,
  refunds = true, cards = true, -- Midtrans refuses where the way that was chosen has none
  input = { enabled_payments = { type = "list", doc = "Midtrans' names of the ways to offer, e.g. bca_va; left out: all" } },

  page = page.open, cancel = page.cancel,
  enabled = function(op) return op.input.enabled_payments end,
  charge = {},
  shown = function() return {} end,
}
