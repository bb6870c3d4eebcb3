-- scripts/api/midtrans.lua: the door for shops that speak Midtrans: Core API v2, Snap, and create-payment of the
-- architecture document. A shop on midtrans-client moves here by its base URL and its key. What is asked becomes
-- exactly what POST /v1/payments would make; docs of the shapes: scripts/lib/door_midtrans.lua.
--
-- Not here, and said so in Midtrans' words: card numbers and tokens of them (a card is typed on a hosted page, so a
-- charge of credit_card gives its redirect_url whatever token came along), pre-authorisation, GoPay linking,
-- subscriptions, approve and deny (a person at Luwak looks at what a rule held).
local door = require "door"
local midtrans = require "door_midtrans"
local request = require "door_midtrans_request"
local named = require "door_midtrans_urls"

local text = door.text
local SCOPE = "door_midtrans" -- what Midtrans knows of a payment or refund and we do not: kept by its id

---- what is known besides the payment ----

local function note(key, value) return store.commit { { "kv_put", scope = SCOPE, key = key, value = value } } end
local function noted(key) return (store.get("kv_get", SCOPE, key) or {}).value end
local function forget(key) return store.commit { { "kv_delete", scope = SCOPE, key = key } } end

local function about(merchant, p, more)
  local facts = more or {}
  facts.merchant = facts.merchant or merchant
  facts.expired = p.status == "cancelled" and noted("expire " .. p.id) ~= nil
  if p.amount_refunded > 0 then
    local list = core.payment.refunds(p.id, 100)
    facts.refunds, facts.keys = list and list.data or {}, {}
    for _, r in ipairs(facts.refunds) do facts.keys[r.id] = noted("refund " .. r.id) end
  end
  return facts
end

---- Core API ----

-- A merchant_id in a body is repeated; whose it is, the key says.
local function said_merchant(body)
  local id = body.merchant_id
  return math.type(id) == "integer" and tostring(id) or text(id)
end

local function charge(req, kind, again)
  local body = door.body(req)
  if not body then return midtrans.refuse "413" end
  local ask, have, wrong = request.charge(body, kind)
  if not ask then
    if have == "400" then return midtrans.invalid(wrong) end
    return midtrans.refuse(have, wrong)
  end
  local told, no, code = named(req)
  if no then
    if code then return midtrans.refuse(code) end
    return midtrans.invalid { no }
  end
  local status, p, replayed = door.create(req, ask, have, told)
  local facts = status < 300 and about(req.merchant, p, { merchant = said_merchant(body) })
  return midtrans.charged(status, p, replayed, facts, again)
end

-- POST /midtrans/create-payment has names of its own beside Midtrans'. HTTP says 200 or 201 where there is a payment,
-- also a denied one, as POST /v1/payments does; else what the body says, as far as that is what HTTP means by it.
local HTTP = { ["202"] = 409, ["413"] = 400, ["505"] = 503 }

local function create_payment(req)
  local _, v = charge(req, (door.body(req) or {}).payment_type or "bank_transfer", true)
  if v.transaction_id then
    v.payment_method_type, v.expiration_time = v.payment_type, v.expiry_time
    return v.status_code == "200" and 200 or 201, v
  end
  return HTTP[v.status_code] or tonumber(v.status_code), v
end

-- A route about one transaction: found by either id, or refused.
local function on(run)
  return function(req)
    local p, busy = door.find(req.merchant, req.params.order_id)
    if busy then return midtrans.refuse "503" end
    if not p or p.method == json.null then return midtrans.refuse "404" end -- a page where nothing was picked is no transaction
    return run(req, p)
  end
end

local function status(req, p) return midtrans.status(p, about(req.merchant, p), door.api_key(req)) end

-- Both close what nobody has paid; `expire` only what is pending. Which was asked for last is remembered before it
-- is done, for the notification goes at once; where `expire` came to nothing it is not what ends the payment later.
local function close(word)
  return on(function(req, p)
    local open = p.status == "pending" or (p.status == "processing" and word == "cancel")
    if not open then return midtrans.refuse "412" end
    local key, kept = "expire " .. p.id, true
    if word == "expire" then kept = note(key, "1") elseif noted(key) then kept = forget(key) end
    if not kept then return midtrans.refuse "503" end
    local code, now = door.act("cancel", req, p.id)
    if code >= 300 then
      if word == "expire" then forget(key) end
      return midtrans.problem(now)
    end
    if now.status ~= "cancelled" then return midtrans.done(now, about(req.merchant, now), "201", "The request is being processed") end
    local expired = word == "expire"
    return midtrans.done(now, about(req.merchant, now), expired and "407" or "200",
      expired and "Success, transaction has expired" or "Success, transaction is canceled")
  end)
end

local never = on(function() return midtrans.refuse "412" end)

---- refunds ----

local DUPLICATE = "Duplicate refund ID"

-- What is wrong with it; nil, and key and amount.
local function refund_of(req)
  local body = {}
  if req.body ~= "" and req.body ~= "null" then body = door.body(req) end
  if not body then return nil, "413" end
  local key, amount = body.refund_key, body.amount
  if key ~= nil and key ~= json.null and (not text(key) or #key > 200 or key:find "[^%w%-_]") then
    return nil, "400", { "refund_key may hold letters, digits, - _ only" }
  end
  if amount ~= nil and amount ~= json.null and (math.type(amount) ~= "integer" or amount < 1) then return nil, "414" end
  local reason = text(body.reason)
  return { key = text(key), amount = math.type(amount) == "integer" and amount or nil, reason = reason and door.cut(reason, 255) }
end

local function refund(direct)
  return on(function(req, p)
    local want, code, wrong = refund_of(req)
    if not want then
      if wrong then return midtrans.invalid(wrong) end
      return midtrans.refuse(code)
    end
    if p.status ~= "success" then return midtrans.refuse "412" end
    local key = want.key or door.key_of(req) or "reference-" .. crypto.uuid()
    local answer, r, again = door.act("refund", req, p.id, json.object { amount = want.amount, reason = want.reason }, key)
    if again or r.code == "IDEMPOTENCY_MISMATCH" or r.code == "IDEMPOTENCY_IN_PROGRESS" then return midtrans.refuse("406", DUPLICATE) end
    if answer >= 300 then
      if r.param == "amount" then return midtrans.refuse "414" end
      if r.param == "destination" then return midtrans.refuse "412" end -- this way of paying cannot be paid back through
      return midtrans.problem(r)
    end
    note("refund " .. r.id, key)
    local now = core.payment.get(req.merchant, p.id) or p
    local facts = about(req.merchant, now)
    local by_bank = direct and " by the bank" or ""
    local more = { refund_chargeback_id = r.id, refund_key = key }
    if r.status == "success" then return midtrans.done(now, facts, "200", "Success, refund request is approved" .. by_bank, more) end
    if r.status == "failed" then
      more.refund_amount = door.rupiah(now.amount_refunded)
      return midtrans.done(now, facts, "202", "Refund denied by the bank", more)
    end
    return midtrans.done(now, facts, "201", "The refund is being processed", more)
  end)
end

local function capture(req)
  local body = door.body(req)
  if not body then return midtrans.refuse "413" end
  local id, amount = body.transaction_id, body.gross_amount
  if not text(id) then return midtrans.invalid { "transaction_id is required" } end
  if amount ~= nil and (math.type(amount) ~= "integer" or amount < 1) then return midtrans.invalid { "gross_amount must be a positive integer" } end
  local p, busy = door.find(req.merchant, id)
  if busy then return midtrans.refuse "503" end
  if not p then return midtrans.refuse "404" end
  local code, now = door.act("capture", req, p.id, json.object { amount = amount }, door.key_of(req) or "capture-" .. p.id)
  if now.param == "amount" then return midtrans.refuse "414" end
  if code >= 300 then return midtrans.problem(now) end
  return midtrans.done(now, about(req.merchant, now), "200", "Success, Credit Card transaction is captured")
end

local function not_offered() return midtrans.refuse "402" end

---- Snap ----

local TAKEN = "transaction_details.order_id has already been taken"

local function snap_refuse(code, ...) return code, { error_messages = json.array { ... } } end

local function snap_refused(_, why)
  if why.code == "UNAUTHORIZED" then return snap_refuse(401, "Access denied due to unauthorized transaction, please check client or server key") end
  local field = midtrans.field(why.param)
  return snap_refuse(why.status, (field ~= "" and field .. ": " or "") .. why.detail)
end

local function snap_problem(p)
  if p.code == "DUPLICATE_TRANSACTION" or p.code == "IDEMPOTENCY_MISMATCH" then return snap_refuse(400, TAKEN) end
  local _, said = midtrans.problem(p)
  local code = tonumber(said.status_code)
  local known = code == 401 or code == 500 or code == 503 or code == 429
  return snap_refuse(known and code or code == 202 and 503 or 400, (said.validation_messages or {})[1] or said.status_message)
end

-- The page of an order that waits for its payer: asked for again, it is the same one.
local function snap_create(req)
  local body = door.body(req)
  if not body then return snap_refuse(400, "JSON is not valid") end
  local ask, wrong = request.page(body)
  if not ask then return snap_refuse(400, table.unpack(wrong)) end
  local told, no, later = named(req)
  if no then return snap_refuse(later and 503 or 400, no) end
  local code, p = door.create(req, ask, nil, told)
  if code >= 300 then return snap_problem(p) end
  if p.status ~= "pending" then return snap_refuse(400, p.status == "failed" and "Denied by Fraud Detection System" or TAKEN) end
  if not text(p.checkout_url) then return snap_refuse(500, "LUWAK_PUBLIC_URL is not set: there is no page to send anybody to") end
  return 201, { token = p.id:sub(5), redirect_url = p.checkout_url }
end

local function snap_cancel(req)
  local p, why = core.payment.get(req.merchant, "pay_" .. req.params.token)
  if why then return snap_refuse(503, "try again") end
  if not p then return snap_refuse(404, "token not found") end
  if p.status == "cancelled" then return snap_refuse(400, "token already canceled") end
  if p.status ~= "pending" or #p.attempts > 0 then return snap_refuse(400, "Transaction is on progress") end
  local code, now = door.act("cancel", req, p.id)
  if code >= 300 then return snap_problem(now) end
  return 200, { canceled_at = time.format(time.now(), "%Y-%m-%dT%H:%M:%S.%LZ", "UTC") }
end

local function snap_page(req) return 303, "", { Location = "/pay/" .. form.escape(req.params.token) } end

---- webhooks of the format "midtrans" ----

-- A payment is told of as pending once the payer can be shown how to pay, as Midtrans does: we are asked a moment
-- before, when it is on disk and its provider not yet heard. nil: it came to nothing, which is told by itself; nil
-- and a time: it is not known yet.
local LOOK_AGAIN, LOOK_MS = "300ms", 60000

local function created(letter)
  local p = letter.data
  local now, why = core.payment.get(letter.merchant, p.id)
  if why then error(why) end
  now = now or p
  local last, began = now.attempts[#now.attempts], time.parse(p.created_at, "rfc3339")
  if last and last.status == "sending" and began and time.now() < began + LOOK_MS then return nil, LOOK_AGAIN end
  if now.status == "failed" then return nil end
  for _, name in ipairs { "method", "bank", "instructions", "expires_at" } do p[name] = now[name] end
  return p
end

-- letter: merchant, type, data (the payment or refund as it was then), key (of the API key that charged it), door (by
-- which the payment came), named (this goes to a URL that it named itself), only_named (and to no other). A shop that
-- speaks Midtrans knows what it charged by Midtrans' door: of other payments of the merchant it hears nothing.
local function webhook(letter)
  if not letter.named and (letter.door ~= "midtrans" or letter.only_named) then return nil end
  local p = letter.data
  if p.object == "refund" then
    local why
    p, why = core.payment.get(letter.merchant, p.payment)
    if why then error(why) end -- not known now is not "nothing to say": the delivery is tried again
  end
  if letter.type == "payment.created" then
    local later
    p, later = created(letter)
    if not p then return nil, later end
  end
  if not p or p.object ~= "payment" then return nil end
  local v = midtrans.notification(letter.type, p, about(letter.merchant, p), letter.key)
  return v and json.encode(v)
end

local core_routes = door.routes({
  ["POST /v2/charge"] = { about = "Midtrans: charges", run = function(req) return charge(req) end },
  ["POST /midtrans/create-payment"] = { about = "creates a bank transfer, in Midtrans' shape", run = create_payment },
  ["GET /v2/:order_id/status"] = { about = "Midtrans: a transaction", run = on(status) },
  ["GET /v2/:order_id/status/b2b"] = { run = not_offered },
  ["POST /v2/:order_id/cancel"] = { about = "Midtrans: cancels what is not paid", run = close "cancel" },
  ["POST /v2/:order_id/expire"] = { about = "Midtrans: ends what is not paid", run = close "expire" },
  ["POST /v2/:order_id/refund"] = { about = "Midtrans: gives money back", run = refund(false) },
  ["POST /v2/:order_id/refund/online/direct"] = { about = "Midtrans: the same", run = refund(true) },
  ["POST /v2/:order_id/approve"] = { run = never },
  ["POST /v2/:order_id/deny"] = { run = never },
  ["POST /v2/capture"] = { about = "Midtrans: takes money that was authorised", run = capture },
  ["POST /v2/pay/account"] = { run = not_offered },
  ["GET /v2/pay/account/:id"] = { run = not_offered },
  ["POST /v2/pay/account/:id/unbind"] = { run = not_offered },
  ["GET /v2/point_inquiry/:token"] = { run = not_offered },
  ["GET /v2/token"] = { auth = "none", run = not_offered }, -- by a client key; a card number is refused before
  ["GET /v2/card/register"] = { auth = "none", run = not_offered },
}, midtrans.refused)
local snap_routes = door.routes({
  ["POST /snap/v1/transactions"] = { about = "Snap: a page to pay on", run = snap_create },
  ["POST /snap/v1/transactions/:token/cancel"] = { about = "Snap: closes a page where nothing was picked", run = snap_cancel },
  ["GET /snap/v3/redirection/:token"] = { auth = "none", run = snap_page },
  ["GET /snap/v4/redirection/:token"] = { auth = "none", run = snap_page },
}, snap_refused)
for key, route in pairs(snap_routes) do core_routes[key] = route end

-- What Midtrans has not, or we have not of it: also that is said as Midtrans says it.
local function nowhere() return midtrans.refuse("404", "The requested resource is not found", 404) end
for _, method in ipairs { "GET", "POST", "PATCH", "PUT", "DELETE" } do
  core_routes[method .. " /v2/*path"] = { auth = "none", run = nowhere, refused = midtrans.refused }
  core_routes[method .. " /snap/*path"] = { auth = "none", run = function() return snap_refuse(404, "The requested resource is not found") end, refused = snap_refused }
end

return { api = 1, title = "Midtrans' door", routes = core_routes, webhook = webhook }
