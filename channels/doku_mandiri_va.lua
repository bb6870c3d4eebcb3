-- channels/doku_mandiri_va.lua: Mandiri virtual account through DOKU (SNAP). The number is ours: DOKU's prefix for us and
-- eight digits that we allot. Not refundable at DOKU: a refund is paid out by us or by hand.
local doku = require "doku"

return doku.va { title = "Mandiri Virtual Account (DOKU)", bank = "mandiri", code = "VIRTUAL_ACCOUNT_BANK_MANDIRI" }
