-- channels/doku_danamon_va.lua: Danamon virtual account through DOKU (SNAP). The number is ours: DOKU's prefix for us and
-- eight digits that we allot. Not refundable at DOKU: a refund is paid out by us or by hand.
local doku = require "doku"

return doku.va { title = "Danamon Virtual Account (DOKU)", bank = "danamon", code = "VIRTUAL_ACCOUNT_BANK_DANAMON" }
