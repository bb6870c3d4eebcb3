-- scripts/sandbox/xendit.lua: Xendit as a stand-in: Basic auth, payment requests and methods (v2), hosted
-- invoices, refunds, the older product APIs, callbacks with Xendit's six retries over a day, and a person
-- who pays (POST _control, the page, or Xendit's own simulate calls).
-- Its books are in scripts/lib/sandbox_xendit_books.lua.
--
-- Not here: v3, cards by token, direct debit, payouts, sub accounts (for-user-id is taken and ignored).
local simulator = require "simulator"
local rules = require "sandbox_xendit"
local products = require "sandbox_xendit_products"
local books = require "sandbox_xendit_books"

local refuse, table_or, utc = rules.refuse, rules.table_or, rules.utc
local sim, find, of_kind, seen, change, view = books.sim, books.find, books.of_kind, books.seen, books.change, books.view
local facts_of, keep = books.facts_of, books.keep
local TELL_MS, KEY_MS = 1000, 86400000
local MISSING = { va = "CALLBACK_VIRTUAL_ACCOUNT_NOT_FOUND_ERROR", invoice = "INVOICE_NOT_FOUND_ERROR" }

local function hex(n) return (crypto.uuid():gsub("-", ""):sub(1, n)) end

---- every call ----

local function authorized(ctx, request)
  local right = crypto.join { "Basic ", crypto.base64 { ctx.config.api_key, ":" } }
  return crypto.equal(request.headers.authorization or "", right)
end

local function broken() return refuse "SERVER_ERROR" end
local function maintenance() return refuse "CHANNEL_UNAVAILABLE" end
local function not_activated() return refuse "CHANNEL_NOT_ACTIVATED" end
local function ineligible() return refuse "INELIGIBLE_TRANSACTION_STATUS" end

local function key_of(request) return request.headers["idempotency-key"] or request.headers["x-idempotency-key"] end

-- The same key and payload: the first answer again, for a day; what the provider broke on is not kept.
local function idempotent(ctx, request, run)
  local key = key_of(request)
  if not key then return run() end
  local at, kept, print = ctx.now(), nil, crypto.sha256({ request.path, "\n", request.body }, "hex")
  local first = simulator.update(ctx, "key " .. key, function(now)
    if now and now.until_ms > at then
      kept = now
      return nil, false
    end
    return { until_ms = at + KEY_MS, print = print }, true
  end)
  if not first and (kept.print ~= print or not kept.body) then return refuse "IDEMPOTENCY_ERROR" end
  if not first then return reply(kept.status, kept.body) end
  local said = run()
  ctx.store.put("key " .. key, said.status < 500 and json.encode { until_ms = at + KEY_MS, print = print, status = said.status, body = said.body } or nil)
  return said
end

-- A call that makes something: make(ctx, want, request) answers.
local function making(named, make)
  return function(ctx, request)
    if not authorized(ctx, request) then return refuse "INVALID_API_KEY" end
    local want = json.decode(request.body)
    if type(want) ~= "table" then return refuse "INVALID_JSON_FORMAT" end
    for name, value in pairs(want) do
      if value == json.null then want[name] = nil end
    end
    local what = { facts = { order_id = want[named], payment_id = table_or(want.metadata).payment }, effect = true, broken = broken,
      maintenance = maintenance, refused = not_activated, known = function() return ctx.store.get("key " .. (key_of(request) or "")) end }
    return sim.call(ctx, what, function()
      return idempotent(ctx, request, function() return make(ctx, want, request) end)
    end)
  end
end

-- A call about something that there is: run(ctx, tx, want, request); `refused`: it changes something.
local function about(kinds, run, refused)
  return function(ctx, request)
    if not authorized(ctx, request) then return refuse "INVALID_API_KEY" end
    local tx = of_kind(ctx, request.params.id, table.unpack(kinds))
    local what = { facts = tx and facts_of(tx) or { order_id = request.params.id }, effect = refused ~= nil, broken = broken,
      maintenance = maintenance, refused = refused }
    return sim.call(ctx, what, function()
      if not tx then return refuse(MISSING[kinds[1]] or "DATA_NOT_FOUND") end
      local want = json.decode(request.body) -- real clients send bodies on GET and none on POST
      return run(ctx, tx, type(want) == "table" and want or {}, request)
    end)
  end
end

-- A call that reads a list or a figure.
local function reading(run)
  return function(ctx, request)
    if not authorized(ctx, request) then return refuse "INVALID_API_KEY" end
    return sim.call(ctx, { facts = {}, broken = broken, maintenance = maintenance }, function()
      return run(ctx, request:args() or {}, request)
    end)
  end
end

---- making ----

local function make_method(ctx, want, method, amount, kind)
  local at = ctx.now()
  local wrong, tx = rules.check_method(method, amount, at)
  if kind == "request" and want.currency ~= "IDR" then wrong[#wrong + 1] = "currency must be IDR" end
  if want.reference_id ~= nil and (type(want.reference_id) ~= "string" or want.reference_id == "" or #want.reference_id > 255) then
    wrong[#wrong + 1] = "reference_id must be 1 to 255 characters"
  end
  if #wrong > 0 then return rules.invalid(wrong) end
  local magic = (tx.wallet or tx.type == "QR_CODE") and rules.magic(amount)
  if magic then return refuse(magic) end
  tx.kind, tx.made_at, tx.amount, tx.metadata, tx.description = kind, at, amount, want.metadata, want.description
  tx.id = kind == "request" and "pr-" .. crypto.uuid() or "pm-" .. crypto.uuid()
  tx.method = kind == "request" and "pm-" .. crypto.uuid() or tx.id
  tx.reference, tx.method_reference = want.reference_id or crypto.uuid(), method.reference_id
  tx.single, tx.closed, tx.back = tx.reusability == "ONE_TIME_USE", amount ~= nil, tx.properties.success_return_url
  local n, used = simulator.remember(ctx, tx.id), false
  local bank, outlet = rules.BANKS[tx.channel], rules.OUTLETS[tx.channel]
  if tx.type == "VIRTUAL_ACCOUNT" then tx.number, used = books.number(ctx, bank.prefix, bank.digits, n, tx.number) end
  if tx.type == "OVER_THE_COUNTER" then tx.number, used = books.number(ctx, outlet.prefix, 8, n, tx.properties.payment_code) end
  if used then return refuse("DUPLICATE_ERROR", "The number is in use.") end
  return reply(201, view(ctx, keep(ctx, tx, n)))
end

-- Of one of the older products.
local function make_product(kind)
  return function(ctx, want, request)
    local product, at = products[kind], ctx.now()
    local wrong, tx, code = product.check(want, at, request.headers)
    if #wrong > 0 then return rules.invalid(wrong) end
    if code then return refuse(code) end
    local magic = (kind == "charge" or kind == "qr") and rules.magic(want.amount)
    if magic then return refuse(magic) end
    if kind == "qr" and of_kind(ctx, tx.reference, "qr") then return refuse("DUPLICATE_ERROR", "external_id has been used before") end
    tx.kind, tx.made_at = kind, at
    tx.id = (kind == "charge" or kind == "qr") and product.prefix .. crypto.uuid() or hex(24)
    local n, used = simulator.remember(ctx, tx.id), false
    if kind == "va" then tx.number, used = books.number(ctx, tx.prefix, tx.digits, n, tx.wanted) end
    if kind == "code" then tx.number, used = books.number(ctx, tx.prefix, 8, n, tx.wanted) end
    if used then return refuse(kind == "va" and "DUPLICATE_CALLBACK_VIRTUAL_ACCOUNT_ERROR" or "DUPLICATE_ERROR") end
    keep(ctx, tx, n)
    if kind == "va" then sim.later(ctx, ctx.now() + TELL_MS, "awake", { id = tx.id }) end
    return reply(kind == "charge" and 202 or 200, view(ctx, tx))
  end
end

local function make_invoice(ctx, want)
  local wrong = rules.check_invoice(want)
  if #wrong > 0 then return rules.invalid(wrong) end
  local methods = json.object {}
  for _, name in ipairs(table_or(want.payment_methods)) do methods[name] = true end
  if next(methods) == nil then methods = { CREDIT_CARD = true, BCA = true, BNI = true, OVO = true, DANA = true, QRIS = true, KREDIVO = true } end
  local at = ctx.now()
  local tx = { kind = "invoice", made_at = at, id = hex(24), reference = want.external_id, amount = want.amount, methods = methods, closed = true, single = true,
    paid_by = want.payment_methods and want.payment_methods[1] or "CREDIT_CARD", channel = want.payment_methods and want.payment_methods[1],
    expires_at = at + (want.invoice_duration or 86400) * 1000, description = want.description, email = want.payer_email,
    back = want.success_redirect_url, failure_url = want.failure_redirect_url, metadata = want.metadata }
  return reply(200, view(ctx, keep(ctx, tx, simulator.remember(ctx, tx.id))))
end

---- reading ----

local function listed(ctx, reference, kind)
  local list = json.array {}
  for _, id in ipairs(simulator.read(ctx, "all " .. (reference or "")) or {}) do
    local tx = of_kind(ctx, id, kind)
    if tx then list[#list + 1] = view(ctx, tx) end
  end
  return list
end

-- A parameter that may come as a list: its first.
local function one(value) return type(value) == "table" and value[1] or value end

-- Without a reference: the newest of all.
local function list_of(ctx, args, kind, named)
  local wanted = one(args[named]) or one(args[named .. "[]"])
  if wanted then return listed(ctx, wanted, kind) end
  local list = json.array {}
  for _, id in ipairs(simulator.recent(ctx)) do
    local tx = of_kind(ctx, id, kind)
    if tx then list[#list + 1] = view(ctx, tx) end
  end
  return list
end

---- refunds ----

local function make_refund(ctx, want)
  local id = want.payment_request_id or want.invoice_id
  local tx = type(id) == "string" and of_kind(ctx, id, want.payment_request_id and "request" or "invoice")
  if not tx then return refuse "DATA_NOT_FOUND" end
  if not rules.reason_ok(want.reason) then return rules.invalid { "reason must be one of the documented" } end
  if want.currency ~= nil and want.currency ~= "IDR" then return rules.invalid { "currency must be IDR" } end
  local no, r, n = rules.refund_no(tx, want, ctx.now()), nil, nil
  if no then return no end
  sim.later(ctx, ctx.now() + TELL_MS, "refunded", { id = tx.id, n = #tx.refunds + 1 }) -- before: where we die behind it
  local _, done = change(ctx, tx.id, function(t)
    local amount
    no, amount = rules.refund_no(t, want, ctx.now())
    if no then return false end
    r = { id = "rfd-" .. crypto.uuid(), amount = amount, at = ctx.now(), updated_at = ctx.now(), reference = want.reference_id, reason = want.reason,
      status = "PENDING", metadata = want.metadata }
    t.refunds[#t.refunds + 1] = r
    n, t.refunded, tx = #t.refunds, t.refunded + amount, t
    return true
  end)
  if not done then return no end
  sim.later(ctx, ctx.now() + TELL_MS, "refunded", { id = tx.id, n = n }) -- its own, where two came at once
  ctx.store.put("refund " .. r.id, json.encode { id = tx.id, n = n })
  return reply(200, rules.refund(tx, r))
end

local function find_refund(ctx, id)
  local at = simulator.read(ctx, "refund " .. id)
  local tx = at and simulator.read(ctx, "tx " .. at.id)
  return tx, tx and tx.refunds[at.n], at
end

-- A refund of an older wallet charge; at once.
local function refund_charge(ctx, tx, want)
  local id, amount = "ewr_" .. crypto.uuid(), want.amount
  local no
  local now, done = books.change_and_tell(ctx, tx.id, TELL_MS, function(t)
    local p, wallet = t.payments[1], rules.WALLETS[t.channel]
    amount = amount or p and p.amount - t.refunded
    no = t.status ~= "paid" and "INELIGIBLE_TRANSACTION_STATUS" or not wallet.refund and "REFUND_NOT_SUPPORTED"
      or (math.type(amount) ~= "integer" or amount < 1 or amount > p.amount - t.refunded) and "MAXIMUM_REFUND_AMOUNT_REACHED"
      or wallet.whole and amount ~= p.amount and "PARTIAL_REFUND_NOT_SUPPORTED"
    if no then return end
    t.refunds[#t.refunds + 1] = { id = id, amount = amount, at = ctx.now(), status = "SUCCEEDED", reason = want.reason }
    t.refunded = t.refunded + amount
    return "refund", #t.refunds
  end)
  if not done then return refuse(no) end
  return reply(200, { id = id, charge_id = tx.id, status = "SUCCEEDED", currency = "IDR", channel_code = "ID_" .. tx.channel, capture_amount = now.payments[1].amount,
    refund_amount = amount, reason = want.reason or json.null, failure_code = json.null, created = utc(ctx.now()), updated = utc(ctx.now()) })
end

---- changing ----

-- What is open is closed; what was done already, or paid, is refused.
local function close(code, message)
  return function(ctx, tx)
    local now, done = change(ctx, tx.id, function(t)
      if t.status ~= "pending" or ctx.now() >= t.expires_at or t.wallet then return false end
      t.status = "inactive"
      return true
    end)
    if not done then return refuse(code, message) end
    return reply(200, now.kind == "request" and rules.method(now, "inactive") or view(ctx, now))
  end
end

-- Xendit's own way to pay in test mode: the answer says that it was simulated, the callback follows.
local function simulate(answer)
  return function(ctx, tx, want)
    local amount = want.amount or want.transfer_amount or tx.amount
    if math.type(amount) ~= "integer" or amount < 1 then return rules.invalid { "amount must be a whole number" } end
    if tx.closed and amount ~= tx.amount then return rules.invalid { "amount must be what is expected" } end
    local said, _, why = books.paid(ctx, tx.id, amount, false)
    if not said then return refuse("INACTIVE_PAYMENT_REQUEST", why) end
    return answer(simulator.read(ctx, "tx " .. tx.id), said)
  end
end

local function completed() return reply(200, { status = "COMPLETED", message = "Payment was successfully simulated" }) end
local function going() return reply(200, { status = "PENDING", message = "A simulated payment is being processed." }) end

local function update_va(ctx, tx, want)
  local wrong, at = {}, ctx.now()
  local ends = want.expiration_date and time.parse(tostring(want.expiration_date), "rfc3339", "UTC")
  if want.expiration_date and (not ends or ends <= at) then wrong[1] = "expiration_date must be a date-time to come" end
  if want.expected_amount ~= nil and math.type(want.expected_amount) ~= "integer" then wrong[#wrong + 1] = "expected_amount must be a whole number" end
  if #wrong > 0 then return rules.invalid(wrong) end
  sim.later(ctx, ends or at, ends and "expire" or "tell", { id = tx.id })
  if tx.kind == "va" then sim.later(ctx, at + TELL_MS, "awake", { id = tx.id }) end
  local now = change(ctx, tx.id, function(t)
    t.amount, t.expires_at = want.expected_amount or t.amount, ends or t.expires_at
    t.name, t.description = want.name or t.name, want.description or t.description
    t.suggested = want.suggested_amount or t.suggested
    if want.is_single_use ~= nil then t.single = want.is_single_use == true end
    t.awake = t.kind ~= "va"
    return true
  end)
  return reply(200, view(ctx, now))
end

local function payments_of(ctx, tx, one_of)
  local list = json.array {}
  for i, p in ipairs(tx.payments) do list[i] = one_of(tx, p) end
  return list
end

local function show(ctx, tx) return reply(200, view(ctx, tx)) end
local function show_method(ctx, tx) return reply(200, rules.method(tx, seen(ctx, tx))) end

---- customers: kept as they come ----

local CUSTOMER = { "individual_detail", "business_detail", "description", "email", "mobile_number", "phone_number", "addresses", "identity_accounts",
  "kyc_documents", "metadata" }

local function make_customer(ctx, want)
  if type(want.reference_id) ~= "string" then return rules.invalid { "reference_id is required" } end
  if ctx.store.get("customer of " .. want.reference_id) then return refuse("DUPLICATE_ERROR", "reference_id has been used before") end
  for _, name in ipairs(CUSTOMER) do
    if want[name] == nil then want[name] = json.null end -- the clients expect each to be there
  end
  want.id, want.created, want.updated = "cust-" .. crypto.uuid(), utc(ctx.now()), utc(ctx.now())
  want.type = want.type or "INDIVIDUAL"
  ctx.store.put("customer " .. want.id, json.encode(want))
  ctx.store.put("customer of " .. want.reference_id, want.id)
  return reply(201, want)
end

local function customer(ctx, request, alter)
  if not authorized(ctx, request) then return refuse "INVALID_API_KEY" end
  local known = simulator.read(ctx, "customer " .. request.params.id)
  if not known then return refuse "DATA_NOT_FOUND" end
  if alter then
    for name, value in pairs(json.decode(request.body) or {}) do known[name] = value end
    known.id, known.updated = request.params.id, utc(ctx.now())
    ctx.store.put("customer " .. known.id, json.encode(known))
  end
  return reply(200, known)
end

---- the paths ----

local pays = about({ "request" }, simulate(going), ineligible)
local routes = {
  ["POST /payment_requests"] = making("reference_id", function(ctx, want) return make_method(ctx, want, want.payment_method, want.amount, "request") end),
  ["GET /payment_requests"] = reading(function(ctx, args)
    return reply(200, { data = list_of(ctx, args, "request", "reference_id"), has_more = false })
  end),
  ["GET /payment_requests/:id"] = about({ "request" }, show),
  ["POST /payment_requests/:id/payments/simulate"] = pays,
  ["GET /payment_requests/:id/captures"] = about({ "request" }, function() return reply(200, { data = json.array {}, has_more = false }) end),
  ["POST /payment_requests/:id/captures"] = about({ "request" }, ineligible, ineligible), -- cards only
  ["POST /payment_requests/:id/auth"] = about({ "request" }, ineligible, ineligible), -- linked accounts only
  ["POST /payment_requests/:id/auth/resend"] = about({ "request" }, ineligible, ineligible),

  ["POST /v2/payment_methods"] = making("reference_id", function(ctx, want)
    local way = table_or(want[table_or(rules.TYPES[want.type]).member])
    return make_method(ctx, want, want, way.amount ~= json.null and way.amount or nil, "method")
  end),
  ["GET /v2/payment_methods"] = reading(function(ctx, args)
    return reply(200, { data = list_of(ctx, args, "method", "reference_id"), has_more = false })
  end),
  ["GET /v2/payment_methods/:id"] = about({ "request", "method" }, show_method),
  ["PATCH /v2/payment_methods/:id"] = about({ "method" }, function(ctx, tx, want)
    local now = change(ctx, tx.id, function(t)
      t.description, t.method_reference = want.description or t.description, want.reference_id or t.method_reference
      return true
    end)
    return show_method(ctx, now)
  end, ineligible),
  ["POST /v2/payment_methods/:id/expire"] = about({ "request", "method" }, close("INELIGIBLE_TRANSACTION_STATUS"), ineligible),
  ["POST /v2/payment_methods/:id/auth"] = about({ "request", "method" }, ineligible, ineligible),
  ["GET /v2/payment_methods/:id/payments"] = about({ "request", "method" }, function(ctx, tx)
    return reply(200, { data = payments_of(ctx, tx, rules.payment), has_more = false })
  end),
  ["POST /v2/payment_methods/:id/payments/simulate"] = about({ "request", "method" }, simulate(going), ineligible),

  ["POST /v2/invoices"] = making("external_id", make_invoice),
  ["GET /v2/invoices"] = reading(function(ctx, args) return reply(200, list_of(ctx, args, "invoice", "external_id")) end),
  ["GET /v2/invoices/:id"] = about({ "invoice" }, show),
  ["POST /invoices/:id/expire!"] = about({ "invoice" }, close("INVALID_STATE", "Invoice is not pending"), ineligible),

  ["POST /refunds"] = making("reference_id", make_refund),
  ["GET /refunds"] = reading(function(ctx, args)
    local list, tx = json.array {}, find(ctx, one(args.payment_request_id) or one(args.invoice_id) or "")
    for i, r in ipairs(tx and tx.refunds or {}) do list[i] = rules.refund(tx, r) end
    return reply(200, { data = list, has_more = false })
  end),
  ["GET /refunds/:id"] = reading(function(ctx, _, request)
    local tx, r = find_refund(ctx, request.params.id)
    return r and reply(200, rules.refund(tx, r)) or refuse "DATA_NOT_FOUND"
  end),
  ["POST /refunds/:id/cancel"] = reading(function(ctx, _, request)
    local tx, r, at = find_refund(ctx, request.params.id)
    if not r then return refuse "DATA_NOT_FOUND" end
    local now, done = change(ctx, tx.id, function(t)
      local pending = t.refunds[at.n]
      if pending.status ~= "PENDING" then return false end
      pending.status, t.refunded = "CANCELLED", t.refunded - pending.amount
      return true
    end)
    return done and reply(200, rules.refund(now, now.refunds[at.n])) or ineligible()
  end),

  ["POST /callback_virtual_accounts"] = making("external_id", make_product "va"),
  ["GET /callback_virtual_accounts/:id"] = about({ "va" }, show),
  ["PATCH /callback_virtual_accounts/:id"] = about({ "va" }, update_va, ineligible),
  ["POST /callback_virtual_accounts/:id/simulate_payment"] = function(ctx, request) -- external_id={external_id}
    request.params.id = request.params.id:gsub("^external_id=", "")
    return about({ "va" }, simulate(completed), ineligible)(ctx, request)
  end,
  ["GET /callback_virtual_account_payments/:id"] = reading(function(ctx, _, request) -- payment_id={payment_id}
    local id = request.params.id:gsub("^payment_id=", "")
    for _, made in ipairs(simulator.recent(ctx)) do
      local tx = of_kind(ctx, made, "va")
      for _, p in ipairs(tx and tx.payments or {}) do
        if p.id == id then return reply(200, products.va.event(tx, p)) end
      end
    end
    return refuse("CALLBACK_VIRTUAL_ACCOUNT_NOT_FOUND_ERROR", "Payment not found")
  end),
  ["GET /available_virtual_account_banks"] = reading(function()
    local list = json.array {}
    for code in sorted(rules.BANKS) do list[#list + 1] = { code = code, name = "Bank " .. code, country = "ID", currency = "IDR", is_activated = true } end
    return reply(200, list)
  end),

  ["POST /ewallets/charges"] = making("reference_id", make_product "charge"),
  ["GET /ewallets/charges/:id"] = about({ "charge" }, show),
  ["POST /ewallets/charges/:id/void"] = about({ "charge" }, function(ctx, tx)
    if tx.status ~= "paid" or time.day(tx.payments[1].at) ~= time.day(ctx.now()) then return refuse "INELIGIBLE_TRANSACTION_STATUS" end
    return show(ctx, (books.void(ctx, tx.id)))
  end, ineligible),
  ["POST /ewallets/charges/:id/refunds"] = about({ "charge" }, refund_charge, ineligible),
  ["GET /ewallets/charges/:id/refunds"] = about({ "charge" }, function(_, tx)
    return reply(200, { data = tx.refunds, has_more = false })
  end),

  ["POST /qr_codes"] = making("external_id", make_product "qr"),
  ["GET /qr_codes/:id"] = about({ "qr" }, show),
  ["GET /qr_codes/payments"] = reading(function(ctx, args)
    local tx = of_kind(ctx, one(args.external_id) or "", "qr")
    return reply(200, tx and payments_of(ctx, tx, products.qr.payment) or json.array {})
  end),
  ["POST /qr_codes/:id/payments/simulate"] = about({ "qr" }, simulate(function(tx)
    return reply(200, products.qr.payment(tx, tx.payments[#tx.payments]))
  end), ineligible),

  ["POST /fixed_payment_code"] = making("external_id", make_product "code"),
  ["GET /fixed_payment_code/:id"] = about({ "code" }, show),
  ["PATCH /fixed_payment_code/:id"] = about({ "code" }, update_va, ineligible),
  ["GET /fixed_payment_code/:id/payments"] = about({ "code" }, function(ctx, tx)
    return reply(200, { data = payments_of(ctx, tx, products.code.payment), has_more = false, links = json.array {} })
  end),
  ["POST /fixed_payment_code/simulate_payment"] = function(ctx, request)
    request.params.id = tostring(table_or(json.decode(request.body)).payment_code)
    return about({ "code" }, simulate(function()
      return reply(200, { status = "COMPLETED", message = "Payment for the Fixed Payment Code was successfully simulated" })
    end), ineligible)(ctx, request)
  end,

  ["GET /balance"] = reading(function() return reply(200, { balance = 1241231 }) end),
  ["POST /customers"] = making("reference_id", make_customer),
  ["GET /customers"] = reading(function(ctx, args)
    local id = ctx.store.get("customer of " .. (one(args.reference_id) or ""))
    return reply(200, { data = json.array { id and simulator.read(ctx, "customer " .. id) or nil }, has_more = false })
  end),
  ["GET /customers/:id"] = function(ctx, request) return customer(ctx, request) end,
  ["PATCH /customers/:id"] = function(ctx, request) return customer(ctx, request, true) end,

  ["GET /pay/:id"] = function(ctx, request) -- the payer's browser
    local tx = find(ctx, request.params.id)
    return tx and sim.page { books.row(ctx, tx) } or refuse "DATA_NOT_FOUND"
  end,
}

-- The clients write some of these with a slash at the end.
for _, name in ipairs { "POST /v2/invoices", "POST /qr_codes", "POST /fixed_payment_code", "POST /payment_requests" } do
  routes[name .. "/"] = routes[name]
end

return {
  api = 1,
  provider = "xendit",
  title = "Xendit simulator",
  config = { api_key = secret "XENDIT_API_KEY", token = secret "XENDIT_WEBHOOK_TOKEN" },
  routes = sim.routes(routes),
  docs = { certainty = "gateways.md of the reference and the types of xendit-node 7 and 1.22; what is least certain is marked where it stands" },
}
