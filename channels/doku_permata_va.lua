-- channels/doku_permata_va.lua: Permata virtual account through DOKU (SNAP). The number is ours: DOKU's prefix for us and
-- eight digits that we allot. Not refundable at DOKU: a refund is paid out by us or by hand.
local doku = require "doku"

return doku.va { title = "Permata Virtual Account (DOKU)", bank = "permata", code = "VIRTUAL_ACCOUNT_BANK_PERMATA" }
