-- channels/doku_bca_va.lua: BCA virtual account through DOKU (SNAP). The number is ours: DOKU's prefix for us and
-- eight digits that we allot. Not refundable at DOKU: a refund is paid out by us or by hand.
local doku = require "doku"

return doku.va { title = "BCA Virtual Account (DOKU)", bank = "bca", code = "VIRTUAL_ACCOUNT_BCA" }
