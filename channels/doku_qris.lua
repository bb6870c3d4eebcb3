-- channels/doku_qris.lua: dynamic QRIS through DOKU (SNAP); any bank's or wallet's app can scan it. A part
-- of it that went back cannot be asked about: after no answer a person looks.
local doku = require "doku"

return doku.qris {
  title = "QRIS (DOKU)",
  limits = { min = 1, max = 10000000 }, -- Bank Indonesia's limit of one payment since March 2022 [from memory]
  expires = { default = "15m", max = "30d", grace = "2m" }, -- DOKU's own default is 30 days: always said
  certainty = "publisher's documentation and libraries; cancel, feeType and the refund's window from memory",
}
