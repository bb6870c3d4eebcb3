-- channels/doku_va.lua: a virtual account at DOKU itself (SNAP), payable from any bank. The number is ours: DOKU's prefix for us and
-- eight digits that we allot. Not refundable at DOKU: a refund is paid out by us or by hand.
local doku = require "doku"

return doku.va { title = "DOKU Virtual Account", bank = "doku", code = "VIRTUAL_ACCOUNT_DOKU" }
