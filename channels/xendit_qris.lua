-- channels/xendit_qris.lua: dynamic QRIS through Xendit; any bank's or wallet's app can scan it. Refunds
-- within 7 days. The newest interface takes no end of its own, this one does by its SDK; two days at most.
local xendit = require "xendit"

return xendit.channel {
  title = "QRIS (Xendit)",
  method = "qris",
  limits = { min = 1, max = 10000000 },
  expires = { default = "15m", max = "48h", grace = "2m" },
  refunds = true,
  cancels = true,

  way = function(ctx, op)
    return { type = "QR_CODE", qr_code = { channel_code = "QRIS", channel_properties = { expires_at = xendit.ends(ctx, op) } } }
  end,
  shown = function(method) return { qr_string = method.qr_code.channel_properties.qr_string } end,

  certainty = "limits and windows from the publisher's documentation, requests as its SDK types them",
}
