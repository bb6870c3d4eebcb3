-- channels/doku_ovo.lua: OVO through DOKU (non-SNAP): a push to the payer's phone. The call stays open until
-- he answers, up to 70 s, and its answer is the result; after none the status is asked, never the phone
-- again. Not refundable at DOKU this way: a refund is paid out by us or by hand.
local doku = require "doku"

local function phone_of(op)
  return (op.input.phone:gsub("%D", ""):gsub("^62", "0"))
end

return doku.order {
  title = "OVO (DOKU)", method = "ewallet", bank = "ovo", effect = "charge",
  limits = { min = 1000, max = 10000000 }, -- OVO's least; its most is that of a verified account [from memory]
  expires = { default = "15m", max = "1h", grace = "5m" },
  poll = { first = "2m", factor = 2, max = "30m" },
  input = { phone = { type = "string", required = true, doc = "the phone number of the payer's OVO account, 08..." } },
  timeout = "70s", wait = "70s", once = true, silent = true,

  path = "/ovo-emoney/v1/payment",
  order = function(ctx, op)
    local phone, client = phone_of(op), ctx.config.client_id
    local sum = crypto.sha256({ tostring(op.input.amount), client, op.reference, phone, ctx.config.secret_key }, "hex")
    return { client = { id = client }, order = { invoice_number = op.reference, amount = op.input.amount },
      ovo_info = { ovo_id = phone }, security = { check_sum = sum } }
  end,
  shown = function(body, op)
    local ovo = type(body.ovo_payment) == "table" and body.ovo_payment or {}
    local order = type(body.order) == "table" and body.order or {}
    if order.invoice_number ~= nil and order.invoice_number ~= op.reference then return unknown { message = "DOKU spoke of another order" } end
    if ovo.status == "SUCCESS" then
      local amount = order.amount == nil and op.input.amount or doku.whole(order.amount)
      return amount and success { amount = amount } or unknown { message = "paid, but how much does not read" }
    end
    if ovo.status == "FAILED" then return doku.failure(body) end
    return unknown { message = "ovo_payment.status " .. tostring(ovo.status) } -- TIMEOUT: the status is asked
  end,
  certainty = "publisher's documentation; the sample of check_sum there does not follow from its own inputs, the text does",
}
