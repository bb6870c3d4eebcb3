-- channels/doku_bsi_va.lua: BSI virtual account through DOKU (SNAP). The number is ours: DOKU's prefix for us and
-- eight digits that we allot. Not refundable at DOKU: a refund is paid out by us or by hand.
local doku = require "doku"

return doku.va { title = "BSI Virtual Account (DOKU)", bank = "bsi", code = "VIRTUAL_ACCOUNT_BANK_SYARIAH_MANDIRI" }
