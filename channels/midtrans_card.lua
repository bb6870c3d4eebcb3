-- channels/midtrans_card.lua: cards through Midtrans: the payer types the card on Midtrans' page, or the
-- shop's page has given it to Midtrans' own script and sends us the token that came of it; then the bank's
-- 3DS page follows. A card number never comes to us. Captured money settles at the end of the day;
-- before that it goes back as a whole only, by a cancel.
local midtrans = require "midtrans"
local page = require "midtrans_page"

return midtrans.channel {
  title = "Card (Midtrans)", method = "card", effect = "charge", -- a token may be charged without a page
  limits = { min = 1, max = 999999999 }, -- Midtrans publishes none; the issuer's own hold
  expires = { default = "60m", max = "24h", grace = "15m" },
  poll = { first = "5m", factor = 2, max = "1h" },
  hosts = page.HOSTS,
  refunds = true, cards = true,
  input = { token_id = { type = "string", doc = "of Midtrans' own script in the payer's browser; without it the payer is sent to Midtrans' page" } },

  page = page.open, cancel = page.cancel,
  enabled = function() return json.array { "credit_card" } end,
  charge = function(_, op) return { payment_type = "credit_card", credit_card = { token_id = op.input.token_id, authentication = true } } end,
  shown = midtrans.redirect,
}
