-- channels/doku_card.lua: cards through DOKU's hosted page (non-SNAP): the payer types the card there, it
-- never comes to us. An attempt that failed leaves the page open: the invoice may still be paid. The page's
-- own life is not documented, so what is paid after ours is late money. One call gives money back before it has
-- settled (DOKU then names it VOID) and after.
local doku = require "doku"

local REFUNDED = { SUCCESS = success, PENDING = processing, REQUESTED = processing }

-- DOKU documents no question about a refund; only a whole one shows in the invoice's own status.
local function inquire_refund(ctx, op, spec)
  local decision, body = doku.order_ask(ctx, op, doku.target(op), spec)
  local whole = body and body.transaction.status == "REFUNDED" and decision.amount == op.input.amount
  return whole and success {} or unknown { message = "DOKU cannot be asked about a part that went back" }
end

return doku.order {
  title = "Card (DOKU)", method = "card",
  limits = { min = 1000, max = 999999999 }, -- DOKU publishes none; the issuer's own hold
  expires = { default = "60m", max = "1d", grace = "15m" },
  poll = { first = "5m", factor = 2, max = "1h" },
  fixed = true, asked = "whole",

  path = "/credit-card/v1/payment-page",
  order = function(_, op)
    local back, customer = op.input.return_urls or {}, op.input.customer or {}
    return { order = { invoice_number = op.reference, amount = op.input.amount, callback_url = back.success, failed_url = back.failure,
        auto_redirect = back.success ~= nil },
      customer = { id = op.payment, name = customer.name, email = customer.email, phone = customer.phone, country = "ID" },
      payment = { type = "SALE" } }
  end,
  shown = function(body, _, ends)
    local page = type(body.credit_card_payment_page) == "table" and body.credit_card_payment_page or {}
    if type(page.url) ~= "string" then return unknown { message = "no page to send the payer to" } end
    return pending { redirect_url = page.url, expires_at = ends }
  end,

  refund = function(ctx, op, spec)
    local reference = doku.target(op)
    local attempt = ctx.find { reference = reference }
    if not attempt then return not_created { message = "there is no such payment" } end
    local decision, body, status, code, message = doku.talk.plain_effect(ctx, "/cancellation/credit-card/refund",
      { order = { invoice_number = reference }, payment = { original_request_id = attempt.id }, refund = { amount = op.input.amount } }, op.id)
    if decision then return decision end
    if doku.talk.twin(status, code, message) then return inquire_refund(ctx, op, spec) end -- the first of them may have moved it
    if status >= 400 then return failed { category = "INVALID_REQUEST", code = code, message = message, final = true } end
    local refund = type(body.refund) == "table" and body.refund or {}
    if REFUNDED[refund.status] then return REFUNDED[refund.status] {} end
    if refund.status == "FAILED" then
      return failed { category = "PROVIDER_ERROR", code = refund.type, message = refund.message, final = true }
    end
    return inquire_refund(ctx, op, spec)
  end,
  inquire_refund = inquire_refund,
  certainty = "publisher's documentation; the words of refund.status but SUCCESS are not certain",
}
