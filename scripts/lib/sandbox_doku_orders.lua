-- scripts/lib/sandbox_doku_orders.lua: DOKU's non-SNAP calls at its simulator: card page, Alfamart, OVO, status,
-- refunds of cards. Each is run(ctx, body, order, request, caller), behind the door that scripts/sandbox/doku.lua keeps.
local simulator = require "simulator"
local rules = require "sandbox_doku"
local books = require "sandbox_doku_books"

local text, table_or = rules.text, rules.table_or
local DAY, find, change, seen, open, utc = books.DAY, books.find, books.change, books.seen, books.open, books.utc
local OVO_MS = 55000 -- how long the payer of a push is waited for
local orders = {}

local function invalid(message) return rules.error(400, "invalid_parameter", message) end

-- The fields of every order; nil and the refusal.
local function order_of(ctx, body, order, request, channel, lasts)
  local want = table_or(body.order)
  if not text(want.invoice_number, 64) then return nil, invalid "order.invoice_number must be 1 to 64 characters" end
  if math.type(want.amount) ~= "integer" or want.amount < 1 or want.amount > 999999999999 then return nil, invalid "order.amount must be a positive integer" end
  if order then return nil, rules.error(400, "invoice_number_already_used", "INVOICE NUMBER ALREADY USED") end
  local url = text(table_or(body.additional_info).override_notification_url, 500)
  return { kind = "order", channel = channel, amount = want.amount, expires_at = ctx.now() + lasts, request_id = request.headers["request-id"],
    url = url and simulator.lasting(url) or nil, back = text(want.callback_url, 500) }
end

local function used() return rules.error(400, "invoice_number_already_used", "INVOICE NUMBER ALREADY USED") end

function orders.card_page(ctx, body, order, request, caller)
  local made, no = order_of(ctx, body, order, request, "CREDIT_CARD", DAY // 24) -- as Checkout: 60 minutes
  if not made then return no end
  if table_or(body.payment).type ~= "SALE" then return invalid "payment.type must be SALE here" end
  if body.card ~= nil then return invalid "card is typed on the page" end
  local ref = body.order.invoice_number
  if not open(ctx, caller, ref, made) then return used() end
  return reply(200, { order = { invoice_number = ref, amount = made.amount }, credit_card_js = { session_id = crypto.uuid() },
    credit_card_payment_page = { url = ctx.url("/sandbox/doku/page?reference=" .. form.escape(made.id)) } })
end

function orders.alfa_code(ctx, body, order, request, caller)
  local info = table_or(body.online_to_offline_info)
  if math.type(info.expired_time) ~= "integer" or info.expired_time < 1 or info.expired_time > 43200 then
    return invalid "online_to_offline_info.expired_time must be minutes"
  end
  local made, no = order_of(ctx, body, order, request, "ONLINE_TO_OFFLINE_ALFA", info.expired_time * 60000)
  if not made then return no end
  made.complete = function(o) o.number = ("88888%011d"):format(o.n) end
  local ref = body.order.invoice_number
  if not open(ctx, caller, ref, made) then return used() end
  return reply(200, { order = { invoice_number = ref }, online_to_offline_info = { payment_code = made.number,
    created_date = time.format(made.made_at, "compact", "WIB"), expired_date = time.format(made.expires_at, "compact", "WIB"),
    how_to_pay_page = "https://sandbox.doku.com/how-to-pay/" .. made.number } })
end

-- The call is open until the payer answers.
function orders.ovo_pay(ctx, body, order, request, caller)
  local made, no = order_of(ctx, body, order, request, "EMONEY_OVO", OVO_MS)
  if not made then return no end
  local ref, phone, client = body.order.invoice_number, text(table_or(body.ovo_info).ovo_id, 15), table_or(body.client).id
  if not phone or not phone:find "^08%d+$" then return invalid "ovo_info.ovo_id must be like 08..." end
  local sum = client == caller.client_id and crypto.sha256({ tostring(made.amount), client, ref, phone, caller.secret }, "hex")
  if not sum or not crypto.equal(table_or(body.security).check_sum, sum) then return invalid "security.check_sum does not fit" end
  if not open(ctx, caller, ref, made) then return used() end
  local now = made
  while now.status == "PENDING" and ctx.now() < made.expires_at do
    engine.sleep(200)
    now = find(ctx, made.id)
  end
  if now.status == "PENDING" then
    now = change(ctx, made.id, function(o)
      if o.status ~= "PENDING" then return false end
      o.status, o.failed = "FAILED", "68"
      return true
    end)
  end
  local status = now.status == "SUCCESS" and "SUCCESS" or "TIMEOUT"
  return reply(200, { client = { id = client }, order = { invoice_number = ref, amount = now.paid or now.amount }, ovo_info = { ovo_id = phone },
    ovo_payment = { date = utc(ctx.now()), status = status, response_code = status == "SUCCESS" and "00" or "68", cash_used = now.paid or 0,
      cash_balance = 0, ovo_points_used = 0, ovo_points_balance = 0, approval_code = now.paid and ("%06d"):format(now.n) or nil } })
end

function orders.status(ctx, _, order)
  if not order then return rules.error(404, "data_not_found", "Invoice number not found") end
  if not books.PARTS[order.channel] then return rules.error(404, "data_not_found", "Invoice number not found") end -- SNAP has calls of its own
  local status = seen(ctx, order)
  return reply(200, books.order_note(order, status == "PENDING" and order.failed and "FAILED" or status))
end

-- The same call before the money has settled and after: DOKU says which of them it was. When it settles is not
-- documented; the day's end is, at other gateways.
local function refund_type(ctx, order, amount)
  if amount ~= order.paid then return "PARTIAL_REFUND" end
  return time.day(ctx.now(), "WIB") == time.day(order.paid_at, "WIB") and "VOID" or "FULL_REFUND"
end

function orders.card_refund(ctx, body, order)
  local payment, want = table_or(body.payment), table_or(body.refund)
  if not order or order.channel ~= "CREDIT_CARD" or payment.original_request_id ~= order.request_id then
    return rules.error(404, "data_not_found", "Transaction not found")
  end
  local amount = math.type(want.amount) == "integer" and want.amount > 0 and want.amount
  local row, now = books.refund(ctx, order, crypto.uuid(), amount)
  if not row then return rules.error(400, "invalid_refund", now[3]) end
  return reply(200, { order = { invoice_number = now.ref }, payment = { original_request_id = now.request_id },
    refund = { amount = row.amount, type = refund_type(ctx, now, row.amount), status = "SUCCESS", message = "success",
      approval_code = ("%06d"):format(now.n) } })
end

return orders
