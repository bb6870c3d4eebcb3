-- channels/doku_alfamart.lua: cash at Alfamart's tills through DOKU (non-SNAP): a code that the payer says
-- there. Not refundable at DOKU; it cannot be withdrawn there either, so what is paid late is caught.
local doku = require "doku"

return doku.order {
  title = "Alfamart (DOKU)", method = "retail", bank = "alfamart",
  limits = { min = 10000, max = 5000000 }, -- what other gateways name for Alfamart
  expires = { default = "24h", max = "30d", grace = "15m" },

  path = "/alfa-online-to-offline/v2/payment-code",
  order = function(ctx, op, ends)
    local customer = op.input.customer or {}
    return { order = { invoice_number = op.reference, amount = op.input.amount },
      online_to_offline_info = { expired_time = math.max(1, (ends - ctx.now()) // 60000), reusable_status = false, info1 = "" },
      alfa_info = { receipt = { footer_message = "" } }, customer = { name = customer.name or "Customer", email = customer.email } }
  end,
  shown = function(body, _, ends)
    local info = type(body.online_to_offline_info) == "table" and body.online_to_offline_info or {}
    if type(info.payment_code) ~= "string" then return unknown { message = "no payment code" } end
    return pending { payment_code = info.payment_code, outlet = "alfamart", expires_at = ends }
  end,
  certainty = "DOKU's plugins; limits are not DOKU's own",
}
