-- scripts/sandbox/doku.lua: DOKU as a stand-in: SNAP (tokens, virtual accounts, wallets, QRIS) and non-SNAP
-- (OVO, card page, Alfamart, status), with every signature checked, its own calls signed, and a person who
-- pays (POST _control, or the page). Here is what may be called; in scripts/lib
--   sandbox_doku.lua           who may come in, signatures, the shapes of refusals
--   sandbox_doku_snap.lua      the SNAP calls; _binding.lua: linking wallets and cards
--   sandbox_doku_orders.lua    the others
--   sandbox_doku_payer.lua     who pays, and what DOKU tells
--   sandbox_doku_books.lua     what is kept, and how it is seen
--
-- Of a card nothing is typed: the page has a button. Declining there (POST /page/decline) is one attempt
-- that failed; the invoice may still be paid.
local rules = require "sandbox_doku"
local books = require "sandbox_doku_books"
local orders = require "sandbox_doku_orders"
local payer = require "sandbox_doku_payer"
local snap = require "sandbox_doku_snap"
local wallet = require "sandbox_doku_binding"

local say, table_or, find, seen, wib = rules.say, rules.table_or, books.find, books.seen, books.wib
local sim = payer.sim
local VA, DEBIT, QR = "/virtual-accounts/bi-snap-va/v1.1/transfer-va", "/direct-debit/core/v1/debit", "/snap-adapter/b2b/v1.0/qr"
local DECLINED = { 403, "15", "Transaction Not Permitted" }
local POOR = { 403, "14", "Insufficient Funds" }

---- the doors ----

-- One documented call: who calls, misbehaving when told, what it does. `name` is the field that names the
-- order; `no` is what a refusal says, nil: it changes nothing.
local function snapped(service, name, no, run, makes)
  return function(ctx, request)
    local body, caller = rules.snap(ctx, request, service)
    if not body then return caller end
    local order = type(body[name]) == "string" and find(ctx, rules.id(caller.account, body[name])) or nil
    local what = { facts = { order_id = body[name] }, effect = no ~= nil,
      broken = function() return say(500, service, "00", "General Error") end,
      maintenance = function() return say(503, service, "00", "Under maintenance") end,
      refused = function() return say(no[1], service, no[2], no[3]) end, known = function() return makes and order end }
    return sim.call(ctx, what, function() return run(ctx, body, order, request, caller) end)
  end
end

local function plain(effect, run, makes)
  return function(ctx, request)
    local caller, refused = rules.plain(ctx, request)
    if refused then return rules.signed(ctx, caller, request, refused) end
    local body = request.method == "GET" and {} or json.decode(request.body)
    if type(body) ~= "table" then return rules.signed(ctx, caller, request, rules.error(400, "invalid_parameter", "Invalid JSON")) end
    local ref = request.params.invoice or table_or(body.order).invoice_number
    local function there() return type(ref) == "string" and find(ctx, rules.id(caller.account, ref)) or nil end
    local what = { facts = { order_id = ref }, effect = effect, known = function() return makes and there() end,
      broken = function() return rules.error(500, "internal_server_error", "Internal Server Error") end,
      maintenance = function() return rules.error(503, "maintenance", "Under maintenance") end,
      refused = function() return rules.error(400, "payment_channel_is_inactive", "PAYMENT CHANNEL IS INACTIVE") end }
    return rules.signed(ctx, caller, request, sim.call(ctx, what, function() return run(ctx, body, there(), request, caller) end))
  end
end

---- the payer's page ----

local function page(ctx, request)
  local order = find(ctx, (request:args() or {}).reference)
  if not order then return reply(404, "no such order") end
  local status = seen(ctx, order)
  return sim.page { { ref = order.id, payable = status == "PENDING", back = order.back,
    cells = { order.ref, order.channel, "", order.amount, status, wib(order.made_at), wib(order.expires_at) } } }
end

local function decline(ctx, request)
  local id = table_or(json.decode(request.body)).reference
  local order = find(ctx, id)
  if not order or order.channel ~= "CREDIT_CARD" then return reply(404, "no such order") end
  local _, done, sent = payer.change_and_tell(ctx, id, function(o)
    if seen(ctx, o) ~= "PENDING" then return false end
    o.failed, o.owes = "05", "FAILED"
    return true
  end)
  return reply(done and 200 or 409, { callbacks = sent })
end

local routes = sim.routes {
  ["POST /authorization/v1/access-token/b2b"] = function(ctx, request) return rules.token(ctx, request, "73") end,
  ["POST /authorization/v1/access-token/b2b2c"] = function(ctx, request) return rules.token(ctx, request, "74") end,
  ["POST " .. VA .. "/create-va"] = snapped("27", "trxId", { 400, "01", "Invalid Field Format" }, snap.va_create, true),
  ["PUT " .. VA .. "/update-va"] = snapped("28", "trxId", DECLINED, snap.va_update),
  ["DELETE " .. VA .. "/delete-va"] = snapped("31", "trxId", DECLINED, snap.va_delete),
  ["POST /orders/v1.0/transfer-va/status"] = snapped("26", "trxId", nil, snap.va_status),
  ["POST " .. DEBIT .. "/payment-host-to-host"] = snapped("54", "partnerReferenceNo", DECLINED, snap.debit_pay, true),
  ["POST " .. DEBIT .. "/refund"] = snapped("58", "originalPartnerReferenceNo", POOR, snap.refund "58"),
  ["POST /orders/v1.0/debit/status"] = snapped("55", "originalPartnerReferenceNo", nil, snap.debit_status),
  ["POST " .. QR .. "/qr-mpm-generate"] = snapped("47", "partnerReferenceNo", { 400, "01", "Invalid Field Format" }, snap.qr_generate, true),
  ["POST " .. QR .. "/qr-mpm-query"] = snapped("51", "originalPartnerReferenceNo", nil, snap.qr_query),
  ["POST " .. QR .. "/qr-mpm-refund"] = snapped("78", "originalPartnerReferenceNo", POOR, snap.refund "78"),
  ["POST " .. QR .. "/qr-mpm-cancel"] = snapped("77", "originalPartnerReferenceNo", DECLINED, snap.qr_cancel),
  ["POST /credit-card/v1/payment-page"] = plain(true, orders.card_page, true),
  ["POST /cancellation/credit-card/refund"] = plain(true, orders.card_refund),
  ["POST /alfa-online-to-offline/v2/payment-code"] = plain(true, orders.alfa_code, true),
  ["POST /ovo-emoney/v1/payment"] = plain(true, orders.ovo_pay, true),
  ["GET /orders/v1/status/:invoice"] = plain(false, orders.status),
  ["GET /page"] = page,
  ["POST /page/decline"] = decline,
}
for path, call in pairs(wallet.CALLS) do routes["POST " .. path] = snapped(call[1], "-", nil, call[2]) end

return {
  api = 1,
  provider = "doku",
  title = "DOKU simulator",
  config = { client_id = "DOKU_CLIENT_ID", secret_key = secret "DOKU_SECRET_KEY", private_key = secret "DOKU_PRIVATE_KEY" },
  routes = routes,
  docs = { certainty = "gateways.md of the reference, DOKU's client library; codes of non-SNAP errors are invented, their HTTP status is not" },
}
