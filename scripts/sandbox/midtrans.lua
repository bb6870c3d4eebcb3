-- scripts/sandbox/midtrans.lua: Midtrans' Core API v2 as a stand-in: Basic auth, charges of virtual
-- accounts, Mandiri bills, QRIS and GoPay, status, cancel, expire, refund, and a person who pays (POST
-- _control, or the page). Here is what may be called; in scripts/lib
--   sandbox_midtrans.lua           what it takes as a charge
--   sandbox_midtrans_charge.lua    what becomes of one; _card.lua and _snap.lua: cards, Snap's pages
--   sandbox_midtrans_payer.lua     who pays, and the notifications with their retries
--   sandbox_midtrans_books.lua     what is kept, and how it is seen; _answers.lua: codes and messages
--
-- Not here: the notification of `pending` that follows a charge, and POST after a 307/308.
local simulator = require "simulator"
local rules = require "sandbox_midtrans"
local answers = require "sandbox_midtrans_answers"
local books = require "sandbox_midtrans_books"
local cards = require "sandbox_midtrans_card"
local charges = require "sandbox_midtrans_charge"
local payer = require "sandbox_midtrans_payer"
local snap = require "sandbox_midtrans_snap"

local TYPES, table_or = rules.TYPES, rules.table_or
local refuse, invalid, answer = answers.refuse, answers.invalid, answers.answer
local FREE, find, change, change_and_tell, facts_of = books.FREE, books.find, books.change, books.change_and_tell, books.facts_of
local gross, seen_status, rupiah, wib = books.gross, books.seen_status, books.rupiah, books.wib
local sim = payer.sim
local SEEN_CODE = { pending = "201", settlement = "200", deny = "202", expire = "407" }
local IDEMPOTENT_MS = 5 * 60000
local TELL_MS, LOOK_MS = 1000, payer.LOOK_MS -- when it is told of; when it is looked whether that was done

-- Who asks: "" by the configured key, or the name of a merchant's own account, by that one's; nil: nobody.
-- Each has books of its own, as two customers of Midtrans have.
local function authorized(ctx, request)
  local function is(key)
    return crypto.equal(request.headers.authorization or "", crypto.join { "Basic ", crypto.base64 { key, ":" } })
  end
  if is(ctx.config.server_key) then return "" end
  for name, keys in pairs(ctx.accounts()) do
    if keys.MIDTRANS_SERVER_KEY and is(keys.MIDTRANS_SERVER_KEY) then return name end
  end
end

---- idempotency: only what succeeded is kept, five minutes, over all endpoints ----

local function idempotent(ctx, request, account, skip, run)
  local key = request.headers["idempotency-key"]
  if not key or #key > 46 or skip then return run() end
  key = account .. key
  local at, stored = ctx.now(), nil
  local first = simulator.update(ctx, "key " .. key, function(kept)
    if kept and kept.until_ms > at then
      stored = kept.answer
      return nil, false
    end
    return { until_ms = at + IDEMPOTENT_MS }, true
  end)
  if not first then
    if stored then return reply(200, stored) end
    return reply(202, { status_code = "202", status_message = "The same request is being processed", id = crypto.uuid() })
  end
  local said = run()
  local good = said.status < 300 and (tonumber(said.body.status_code) < 400 or said.body.status_code == "407")
  ctx.store.put("key " .. key, good and json.encode { until_ms = at + IDEMPOTENT_MS, answer = said.body } or nil)
  return said
end

---- the other operations ----

local function broken() return refuse "500" end
local function maintenance() return refuse "503" end

-- One documented path about a transaction: authorized, found, misbehaving when told.
local function about(refused, run)
  return function(ctx, request)
    local account = authorized(ctx, request)
    if not account then return refuse "401" end
    local tx = find(ctx, request.params.id, account)
    if tx and tx.bank == "danamon" and request.params.id ~= tx.transaction_id then tx = nil end -- BI-SNAP: by its own id only
    local what = { facts = tx and facts_of(tx) or { order_id = request.params.id }, effect = refused ~= nil, broken = broken,
      maintenance = maintenance, refused = function() return refused(ctx, tx) end }
    return sim.call(ctx, what, function()
      if not tx then return refuse "404" end
      if request.method == "GET" then return run(ctx, tx, request) end
      return idempotent(ctx, request, account, tx.bank == "permata", function() return run(ctx, tx, request) end)
    end)
  end
end

local function never() return refuse "412" end

-- From pending only: cancel and expire; what was captured can be cancelled until it settles.
local function close(status, code, message)
  return about(never, function(ctx, tx)
    local at = ctx.now()
    local now, done = change_and_tell(ctx, tx.transaction_id, TELL_MS, function(t)
      local held = status == "cancel" and (t.status == "capture" or t.status == "authorize")
      if not held and (t.status ~= "pending" or at >= t.expires_at) then return false end
      t.status = status
      if status == "expire" then t.expires_at = at end
      return true
    end)
    if not done then return refuse "412" end
    return answer(ctx, now, code, message)
  end)
end

local function refund_no(tx, want, at)
  local window = TYPES[tx.payment_type].refund
  if not window or (tx.status ~= "settlement" and tx.status ~= "partial_refund") then return refuse "412" end
  if want.refund_key ~= nil and (type(want.refund_key) ~= "string" or want.refund_key == "" or want.refund_key:find "[^%w%-_]") then
    return invalid { "refund_key may hold letters, digits, - _ only" }
  end
  for _, r in ipairs(tx.refunds) do
    if r.key == want.refund_key then return refuse("406", "Duplicate refund ID") end
  end
  local left = tx.paid - tx.refunded
  local amount = want.amount == nil and left or want.amount
  if math.type(amount) ~= "integer" or amount < 1 or amount > left then return refuse "414" end
  if TYPES[tx.payment_type].whole and amount ~= tx.paid then return refuse "414" end
  if at > tx.settled_at + window then return refuse("414", "Payment Provider doesn't allow refund within this time") end
  return nil, amount
end

local function refund(direct)
  local function refused(ctx, tx)
    if not tx or not direct then return refuse "414" end
    return answer(ctx, tx, "202", "Refund denied by the bank", { refund_amount = "0.00" })
  end
  return about(refused, function(ctx, tx, request)
    local want = request.body == "" and {} or json.decode(request.body)
    if type(want) ~= "table" then return refuse "413" end
    local at, row = ctx.now(), nil
    local no = refund_no(tx, want, at)
    if no then return no end
    local key = want.refund_key or "reference-" .. crypto.uuid()
    sim.later(ctx, at + TELL_MS, "refunded", { id = tx.transaction_id, key = key }) -- before: where we die behind it
    sim.later(ctx, at + LOOK_MS, "refunded", { id = tx.transaction_id, key = key, confirms = true })
    local now, done = change(ctx, tx.transaction_id, function(t)
      local amount
      no, amount = refund_no(t, want, at)
      if no then return false end
      row = { id = math.random(1, 999999), amount = amount, at = at, reason = want.reason, key = key }
      t.refunds[#t.refunds + 1] = row
      t.refunded = t.refunded + amount
      t.status = t.refunded == t.paid and "refund" or "partial_refund"
      return true
    end)
    if not done then return no end
    local message = direct and "Success, refund request is approved by the bank" or "Success, refund request is approved"
    return answer(ctx, now, "200", message, { refund_chargeback_id = row.id, refund_key = key })
  end)
end

local function status(ctx, tx)
  local code = SEEN_CODE[seen_status(ctx, tx)] or "200"
  local said = answer(ctx, tx, code, "Success, transaction is found")
  said.body.signature_key = books.signature(ctx, tx, code, said.body.gross_amount)
  return said
end

local function image(ctx, request)
  local tx = find(ctx, request.params.id)
  if not tx or not tx.qr_string then return refuse "404" end
  return reply(200, qr.png(tx.qr_string), { ["Content-Type"] = "image/png" })
end

-- The payer's phone, or the page he is sent to.
local function app(ctx, request)
  local tx = find(ctx, request.params.id or (request:args() or {}).reference or "")
  if not tx then return refuse "404" end
  local open = seen_status(ctx, tx) == "pending"
  return sim.page { { ref = tx.transaction_id, payable = open, back = tx.back,
    cells = { tx.order_id, tx.payment_type, "", gross(tx), seen_status(ctx, tx), wib(tx.made_at), wib(tx.expires_at) } } }
end

return {
  api = 1,
  provider = "midtrans",
  title = "Midtrans simulator",
  config = { server_key = secret "MIDTRANS_SERVER_KEY", client_key = "MIDTRANS_CLIENT_KEY" },
  routes = sim.routes {
    ["POST /v2/charge"] = function(ctx, request)
      local account = authorized(ctx, request)
      if not account then return refuse "401" end
      local want = json.decode(request.body)
      if type(want) ~= "table" then return refuse "413" end
      if want.payment_type == "permata" then
        want.payment_type, want.bank_transfer = "bank_transfer", { bank = "permata" }
      end
      if type(want.payment_type) ~= "string" then return invalid { "payment_type is required" } end
      if not TYPES[want.payment_type] then return refuse "402" end
      local what = { facts = { order_id = table_or(want.transaction_details).order_id, payment_id = want.custom_field1 }, effect = true,
        broken = broken, maintenance = maintenance, refused = function() return refuse "402" end }
      function what.known() return type(what.facts.order_id) == "string" and find(ctx, what.facts.order_id, account) end
      return sim.call(ctx, what, function()
        local skip = table_or(want.bank_transfer).bank == "permata"
        return idempotent(ctx, request, account, skip, function() return charges.make(ctx, request, want, account) end)
      end)
    end,
    ["GET /v2/:id/status"] = about(nil, status),
    ["POST /v2/:id/cancel"] = close("cancel", "200", "Success, transaction is canceled"),
    ["POST /v2/:id/expire"] = close("expire", "407", "Success, transaction has expired"),
    ["POST /v2/:id/approve"] = about(never, never), -- cards under challenge only: none here
    ["POST /v2/:id/deny"] = about(never, never),
    ["POST /v2/:id/refund"] = refund(false),
    ["POST /v2/:id/refund/online/direct"] = refund(true),
    ["GET /v2/qris/:id/qr-code"] = image,
    ["GET /v4/qris/:id/qr-code"] = image,
    ["GET /v2/gopay/:id/qr-code"] = image,
    ["GET /v2/token"] = function(ctx, request)
      local want = request:args() or {}
      if want.client_key ~= ctx.config.client_key then return refuse "401" end
      local wrong, token = cards.token(ctx, want)
      if wrong then return invalid(wrong) end
      return reply(200, { status_code = "200", status_message = "Credit card token is created as Token ID.", token_id = token, hash = token })
    end,
    ["GET /v2/token/rba/redirect/:id"] = app,
    ["GET /v2/card/register"] = function(ctx, request) -- a saved token is one that lasts; nothing of the card is kept
      local want = request:args() or {}
      if want.client_key ~= ctx.config.client_key then return refuse "401" end
      want.card_cvv = want.card_cvv or "123"
      local wrong, token = cards.token(ctx, want)
      if wrong then return invalid(wrong) end
      return reply(200, { status_code = "200", saved_token_id = token, transaction_id = crypto.uuid(), masked_card = token:sub(1, 13) })
    end,
    ["POST /v2/capture"] = function(ctx, request)
      local account = authorized(ctx, request)
      if not account then return refuse "401" end
      local want = table_or(json.decode(request.body))
      local tx = type(want.transaction_id) == "string" and find(ctx, want.transaction_id, account)
      if not tx then return refuse "404" end
      return sim.call(ctx, { facts = facts_of(tx), effect = true, broken = broken, maintenance = maintenance, refused = never }, function()
        local amount = want.gross_amount == nil and tx.amount or want.gross_amount
        if math.type(amount) ~= "integer" or amount < 1 or amount > tx.amount then return refuse "414" end
        local now, done = change_and_tell(ctx, tx.transaction_id, TELL_MS, function(t)
          if t.status ~= "authorize" or ctx.now() >= t.expires_at then return false end
          t.status, t.paid = "capture", amount
          return true
        end)
        if not done then return refuse "412" end
        charges.settles_today(ctx, now)
        return answer(ctx, now, "200", "Success, Credit Card transaction is captured")
      end)
    end,
    ["POST /snap/v1/transactions"] = function(ctx, request)
      if not authorized(ctx, request) then return snap.refuse(401, "Access denied due to unauthorized transaction, please check client or server key") end
      local want = json.decode(request.body)
      if type(want) ~= "table" then return snap.refuse(400, "JSON is not valid") end
      local what = { facts = { order_id = table_or(want.transaction_details).order_id, payment_id = want.custom_field1 }, effect = true,
        broken = function() return snap.refuse(500, answers.MESSAGES["500"]) end, maintenance = function() return snap.refuse(503, answers.MESSAGES["503"]) end,
        refused = function() return snap.refuse(400, "enabled_payments is not activated") end }
      return sim.call(ctx, what, function()
        local used = find(ctx, tostring(what.facts.order_id))
        if used and not FREE[seen_status(ctx, used)] then return snap.refuse(400, "transaction_details.order_id has already been taken") end
        return snap.create(ctx, want, charges.urls(request), ctx.url "/sandbox/midtrans")
      end)
    end,
    ["POST /snap/v1/transactions/:token/cancel"] = function(ctx, request)
      if not authorized(ctx, request) then return snap.refuse(401, "Access denied due to unauthorized transaction, please check client or server key") end
      local made = snap.of_token(ctx, request.params.token)
      local what = { facts = { order_id = made and made.order_id }, effect = true, broken = function() return snap.refuse(500, answers.MESSAGES["500"]) end,
        maintenance = function() return snap.refuse(503, answers.MESSAGES["503"]) end, refused = function() return snap.refuse(400, "Transaction is on progress") end }
      return sim.call(ctx, what, function()
        local tx = made and find(ctx, made.order_id)
        return snap.cancel(ctx, request.params.token, tx and not FREE[seen_status(ctx, tx)])
      end)
    end,
    ["GET /snap/v3/redirection/:token"] = function(ctx, request)
      local made = snap.of_token(ctx, request.params.token)
      if not made then return reply(404, "token not found") end
      local tx = find(ctx, made.order_id)
      local done = tx and tx.paid
      return sim.page { { ref = made.order_id, payable = not done and snap.open(ctx, made), back = made.back,
        cells = { made.order_id, "snap", "", rupiah(made.amount), done and tx.status or "open", wib(made.made_at), wib(made.expires_at) } } }
    end,
    ["POST /snap/decline"] = function(ctx, request) -- the bank says no to a card on a Snap page; the payer may try again
      local want = table_or(json.decode(request.body))
      local tx = type(want.order_id) == "string" and payer.pick(ctx, want.order_id)
      if not tx then return reply(404, "no such page") end
      tx = change_and_tell(ctx, tx.transaction_id, LOOK_MS, function(t)
        t.status, t.channel_response_code, t.channel_response_message = "deny", "05", "Do not honour"
        return true
      end)
      return reply(200, { callbacks = payer.notify(ctx, tx) })
    end,
    ["GET /gopay/app"] = app, ["GET /shopeepay/app"] = app, ["GET /akulaku/app"] = app, ["GET /kredivo/app"] = app, ["GET /cimb_clicks/app"] = app,
  },
  docs = { certainty = "gateways.md of the reference; the HTTP status of errors is the least certain" },
}