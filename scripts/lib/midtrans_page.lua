-- scripts/lib/midtrans_page.lua: Snap, the page on which Midtrans lets the payer choose and type. A channel
-- says with `page = midtrans_page.open` that it sends him there, and which ways the page offers.
--
-- Until he picks one Midtrans knows no transaction: 404 proves nothing then. A denial is one attempt; he
-- may try again under the same order id. Its errors have a shape of their own.
local midtrans = require "midtrans"
local page = {}

page.HOSTS = {
  sandbox = { "api.sandbox.midtrans.com", "app.sandbox.midtrans.com" }, staging = { "api.sandbox.midtrans.com", "app.sandbox.midtrans.com" },
  production = { "api.midtrans.com", "app.midtrans.com" },
}

local function url(ctx, path) return "https://" .. ctx.host():gsub("^api%.", "app.") .. "/snap/v1/transactions" .. path end

-- The body where it is Midtrans' own; its words are for people.
local function body_of(answer)
  local body = answer:json()
  if type(body) ~= "table" then return nil end
  return body, type(body.error_messages) == "table" and tostring(body.error_messages[1]) or nil
end

function page.open(ctx, op, spec)
  local back = op.input.return_urls and op.input.return_urls.success
  local usual = ctx.now() + (op.input.expires_in and op.input.expires_in * 1000 or time.duration(spec.expires.default))
  local ends = math.min(op.expires_at or usual, usual)
  local answer, why, code, sent = ctx.http.effect(midtrans.request(ctx, { method = "POST", url = url(ctx, ""),
    headers = { ["X-Override-Notification"] = ctx.url "/callbacks/midtrans" },
    json = { transaction_details = { order_id = op.reference, gross_amount = op.input.amount }, customer_details = midtrans.customer(op),
      enabled_payments = spec.enabled(op), credit_card = { secure = true }, custom_field1 = op.payment, custom_field2 = op.input.order_id,
      callbacks = back and { finish = back } or nil,
      expiry = { start_time = time.format(ctx.now(), "%Y-%m-%d %H:%M:%S %z", "WIB"), unit = "minute", duration = math.max(1, (ends - ctx.now()) // 60000) } } }))
  if not answer and sent == false then return not_created { message = why, code = code } end
  if not answer then return unknown { message = why, code = code } end
  local body, message = body_of(answer)
  if answer.status == 201 and body and type(body.redirect_url) == "string" and type(body.token) == "string" then
    return pending { redirect_url = body.redirect_url, expires_at = ends, data = { snap_token = body.token } }
  end
  if not message then return unknown { message = "Snap said HTTP " .. answer.status } end
  if answer.status == 429 then return not_created { message = message } end
  if answer.status == 401 then return failed { category = "UNAUTHORIZED_AT_PROVIDER", code = "401", message = message, final = true } end
  if answer.status < 400 or answer.status >= 500 then return unknown { message = message } end
  -- Nothing was made by this request; the order id may have been used by one before.
  local _, known, gone = midtrans.ask(ctx, op.reference)
  if known == "404" then return failed { category = "INVALID_REQUEST", code = tostring(answer.status), message = message, final = true } end
  if gone then return unknown { message = gone } end
  return midtrans.used(ctx, op, spec)
end

-- The page is closed while nothing was picked on it, and what was picked after that.
function page.cancel(ctx, op, spec)
  local reference = op.input.reference or op.reference
  local attempt = ctx.find { reference = reference }
  local token = attempt and attempt.data and attempt.data.snap_token
  local t, code, why = midtrans.ask(ctx, reference)
  if t or not token then return midtrans.cancel(ctx, op, spec) end
  if code ~= "404" then return unknown { message = why or code } end
  local answer, no, _, sent = ctx.http.effect(midtrans.request(ctx, { method = "POST", url = url(ctx, "/" .. form.escape(token) .. "/cancel") }))
  if not answer and sent == false then return not_created { message = no } end
  if not answer then return unknown { message = no } end
  local body, message = body_of(answer)
  if answer.status < 300 and body and body.canceled_at then return success {} end
  return unknown { message = message or "Snap said HTTP " .. answer.status }
end

return page
