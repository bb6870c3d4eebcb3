-- channels/doku_bni_va.lua: BNI virtual account through DOKU (SNAP). The number is ours: DOKU's prefix for us and
-- eight digits that we allot. Not refundable at DOKU: a refund is paid out by us or by hand.
local doku = require "doku"

return doku.va { title = "BNI Virtual Account (DOKU)", bank = "bni", code = "VIRTUAL_ACCOUNT_BNI" }
