-- scripts/sandbox/xendit.lua: Xendit as a stand-in: Basic auth, payment requests and methods (v2), hosted
-- invoices, refunds, the older product APIs, callbacks with Xendit's six retries over a day, and a person
-- who pays (POST _control, the page, or Xendit's own simulate calls).
-- Books: "tx ID" one record each (scripts/lib/sandbox_xendit.lua), "ref X" -> what else it goes by (number,
-- method, newest of an order), "all REFERENCE" -> the ids under one reference, "refund ID" -> its record.
--
-- Not here: v3, cards by token, direct debit, payouts, sub accounts (for-user-id is taken and ignored).
local simulator = require "simulator"
local rules = require "sandbox_xendit"
local products = require "sandbox_xendit_products"

local refuse, table_or, utc = rules.refuse, rules.table_or, rules.utc
local LATE_BY = 3600000 -- behind every channel's grace
local TELL_MS, LOOK_MS = 1000, 60000 -- when it is told of; when it is looked whether that was done
local INTERVALS = { 15 * 60000, 45 * 60000, 2 * 3600000, 3 * 3600000, 6 * 3600000, 12 * 3600000 }
local KEY_MS = 86400000
local PREFIX = { request = "pr-", method = "pm-bare-", invoice = "" }
local MISSING = { va = "CALLBACK_VIRTUAL_ACCOUNT_NOT_FOUND_ERROR", invoice = "INVOICE_NOT_FOUND_ERROR" }

local sim

local function hex(n) return (crypto.uuid():gsub("-", ""):sub(1, n)) end

---- books ----

local function find(ctx, id) return simulator.read(ctx, "tx " .. (ctx.store.get("ref " .. id) or id)) end

local function of_kind(ctx, id, ...)
  local tx = find(ctx, id)
  for _, kind in ipairs { ... } do
    if tx and tx.kind == kind then return tx end
  end
end

local function seen(ctx, tx)
  return tx.status == "pending" and ctx.now() >= tx.expires_at and "expired" or tx.status
end

-- change(tx) alters it and returns true, or says no. The record, and whether it was altered.
local function change(ctx, id, alter)
  local tx
  local done = simulator.update(ctx, "tx " .. id, function(now)
    tx = now
    if tx and alter(tx) then
      tx.updated_at = ctx.now()
      return tx, true
    end
    return nil, false
  end)
  return tx, done
end

local function facts_of(tx)
  return { order_id = tx.reference, payment_id = table_or(tx.metadata).payment, id = tx.id }
end

local function view(ctx, tx)
  local status = seen(ctx, tx)
  if tx.kind == "request" then return rules.request(tx, status) end
  if tx.kind == "method" then return rules.method(tx, status) end
  if tx.kind == "invoice" then return rules.invoice(tx, status) end
  return products[tx.kind].view(tx, status)
end

---- callbacks ----

-- What is owed to be heard: { what = "payment", n = index } and the like, first to last.
local function body_of(ctx, tx, owed)
  local p = owed.n and tx.payments[owed.n]
  if owed.what == "refund" then
    local r = tx.refunds[owed.n]
    if tx.kind == "charge" then return products.charge.event(tx, nil, ctx.now(), "ewallet.refund") end
    return { event = r.status == "SUCCEEDED" and "refund.succeeded" or "refund.failed", business_id = rules.BUSINESS, created = utc(ctx.now()),
      data = rules.refund(tx, r) }
  end
  if tx.kind == "invoice" then return rules.invoice_event(tx) end
  if tx.kind == "request" or tx.kind == "method" then return rules.request_event(tx, owed.what, p, ctx.now()) end
  if owed.what == "awake" then return products.va.awake_event(tx, ctx.now()) end
  return products[tx.kind].event(tx, p, ctx.now(), owed.what == "voided" and "ewallet.void" or nil)
end

local function tell_one(ctx, tx, owed)
  local headers = { ["Content-Type"] = "application/json", ["webhook-id"] = owed.id }
  local body = json.encode(body_of(ctx, tx, owed))
  local function kept() -- this is told, whatever becomes of us; what came later is not
    change(ctx, tx.id, function(now)
      for i, one in ipairs(now.owes) do
        if one.id == owed.id then return table.remove(now.owes, i) ~= nil end
      end
    end)
  end
  local function spoil()
    return { ["Content-Type"] = "application/json", ["webhook-id"] = owed.id, ["x-callback-token"] = "somebody else's" }, body
  end
  return sim.callback(ctx, { url = tx.callback_url or simulator.HOME .. "/callbacks/xendit", headers = headers, body = body,
    facts = facts_of(tx), spoil = spoil, kept = kept })
end

-- What was not told of yet.
local function tell(ctx, arg)
  local tx, sent = simulator.read(ctx, "tx " .. arg.id), json.array {}
  for _, owed in ipairs(tx and tx.owes or {}) do
    for _, one in ipairs(tell_one(ctx, tx, owed)) do sent[#sent + 1] = one end
  end
  return sent
end

-- A change that is told of after `ms`, whenever we die: what is owed stands in the books with the
-- change itself, and the job that looks for it was on disk before.
local function change_and_tell(ctx, id, ms, alter)
  sim.later(ctx, ctx.now() + ms, "tell", { id = id })
  local webhook = crypto.uuid()
  return change(ctx, id, function(tx)
    local what, n = alter(tx)
    if not what then return false end
    tx.owes[#tx.owes + 1] = { what = what, n = n, id = webhook }
    return true
  end)
end

---- paying ----

local SUCCEEDED = { request = "payment.succeeded", method = "payment.succeeded" }
local FAILED = { request = "payment.failed", method = "payment.failed" }

local function payable(ctx, tx, late)
  if tx.status == "pending" then return late or ctx.now() < tx.expires_at end
  return late and (tx.status == "expired" or tx.status == "inactive" or tx.status == "failed")
end

-- Somebody pays: the record and what was sent; or nil, status, why.
local function settle(ctx, id, amount, late)
  local payment = { id = PREFIX[id] or "py-" .. crypto.uuid(), amount = amount, at = ctx.now(), status = "paid" }
  local tx, done = change_and_tell(ctx, id, LOOK_MS, function(tx)
    if not payable(ctx, tx, late) then return end
    local fails = rules.failure(tx)
    if tx.kind == "qr" then payment.id = payment.id:gsub("^py%-", "qrpy_") end
    if fails then
      tx.status, tx.failure, payment.status, payment.failure = "failed", fails, "failed", fails
    elseif tx.single ~= false then
      tx.status = "paid"
    end
    tx.payments[#tx.payments + 1] = payment
    return fails and (FAILED[tx.kind] or "payment") or SUCCEEDED[tx.kind] or "payment", #tx.payments
  end)
  if not done then return nil, 409, "it is " .. (tx and seen(ctx, tx) or "gone") .. " and takes no money" end
  return tx, tell(ctx, { id = id })
end

-- Taken back after it was settled: payment requests and wallets only.
local function void(ctx, id)
  local tx, done = change_and_tell(ctx, id, LOOK_MS, function(tx)
    if tx.status ~= "paid" or (tx.kind ~= "request" and tx.kind ~= "charge") then return end
    tx.status = "voided"
    for _, p in ipairs(tx.payments) do p.status = "voided" end
    return tx.kind == "request" and "payment.voided" or "voided", 1
  end)
  return tx, done and tell(ctx, { id = id }) or json.array {}
end

local function paid(ctx, id, amount, late)
  local tx, sent, why = settle(ctx, id, amount, late)
  if not tx then return nil, sent, why end
  if simulator.denied(ctx, facts_of(tx)) then
    local _, more = void(ctx, id)
    for _, one in ipairs(more) do sent[#sent + 1] = one end
  end
  return { order_id = tx.reference, id = tx.id, payment_id = tx.payments[#tx.payments].id, amount = amount, callbacks = sent }
end

local function pay(ctx, ref, amount)
  local tx = find(ctx, ref)
  if not tx then return nil, 404 end
  if tx.amount == nil and amount == nil then return nil, 400, "it is open: say how much" end
  local facts = facts_of(tx)
  local late = simulator.late(ctx, facts)
  amount = simulator.amount(ctx, facts, tx.amount, amount)
  if late and tx.status == "pending" and ctx.now() < tx.expires_at then
    sim.later(ctx, tx.expires_at + LATE_BY, "pay", { id = tx.id, amount = amount })
    return { order_id = tx.reference, id = tx.id, amount = amount, pays_at = utc(tx.expires_at + LATE_BY) }
  end
  return paid(ctx, tx.id, amount, late)
end

local function row(ctx, tx)
  local status = seen(ctx, tx)
  return { ref = tx.id, payable = status == "pending", back = tx.back, cells = { tx.reference, tx.kind, tx.channel or "", tx.number or "",
    tx.amount or "open", status, utc(tx.made_at), utc(tx.expires_at) } }
end

sim = simulator.new {
  provider = "xendit", title = "Xendit simulator", keys = { "payment_id", "id" },
  columns = { "reference", "product", "channel", "number", "amount", "status", "made", "expires" },
  rows = function(ctx)
    local list = {}
    for _, id in ipairs(simulator.recent(ctx)) do
      local tx = simulator.read(ctx, "tx " .. id)
      if tx then list[#list + 1] = row(ctx, tx) end
    end
    return list
  end,
  pay = pay,
  secret_headers = function(ctx) return { ["x-callback-token"] = ctx.config.token } end,
  retry = function(_, tried) return INTERVALS[tried + 1] end, -- any answer but 2xx
  take_back = function(ctx, match)
    local tx = find(ctx, match.id or match.order_id or match.payment_id or "")
    if not tx or tx.status ~= "paid" or not simulator.fits(match, facts_of(tx)) then return false end
    local now = void(ctx, tx.id)
    return now.status == "voided"
  end,
  later = {
    pay = function(ctx, arg) paid(ctx, arg.id, arg.amount, true) end,
    tell = tell,
    expire = function(ctx, arg)
      local webhook = crypto.uuid()
      change(ctx, arg.id, function(tx)
        if tx.status ~= "pending" or ctx.now() < tx.expires_at then return false end
        tx.status = "expired"
        local what = tx.kind == "invoice" and "expired" or tx.kind == "request" and "payment_method.expired"
        local n
        if tx.wallet then -- nobody confirmed
          tx.status, tx.failure = "failed", "USER_DID_NOT_AUTHORIZE"
          tx.payments[1] = { id = "py-" .. webhook, amount = tx.amount, at = ctx.now(), status = "failed", failure = tx.failure }
          what, n = FAILED[tx.kind] or "payment", 1
        end
        if what then tx.owes[#tx.owes + 1] = { what = what, n = n, id = webhook } end
        return true
      end)
      tell(ctx, arg) -- also where we died behind the change
    end,
    awake = function(ctx, arg) -- the bank knows the number now
      local webhook = crypto.uuid()
      change(ctx, arg.id, function(tx)
        if tx.awake then return false end
        tx.awake = true
        tx.owes[#tx.owes + 1] = { what = "awake", id = webhook }
        return true
      end)
      tell(ctx, arg)
    end,
    refunded = function(ctx, arg)
      local webhook = crypto.uuid()
      change(ctx, arg.id, function(tx)
        local r = tx.refunds[arg.n]
        if not r or r.status ~= "PENDING" then return false end
        r.status, r.updated_at = "SUCCEEDED", ctx.now()
        tx.owes[#tx.owes + 1] = { what = "refund", n = arg.n, id = webhook }
        return true
      end)
      tell(ctx, arg)
    end,
  },
}

---- every call ----

local function authorized(ctx, request)
  local right = crypto.join { "Basic ", crypto.base64 { ctx.config.api_key, ":" } }
  return crypto.equal(request.headers.authorization or "", right)
end

local function broken() return refuse "SERVER_ERROR" end
local function maintenance() return refuse "CHANNEL_UNAVAILABLE" end
local function not_activated() return refuse "CHANNEL_NOT_ACTIVATED" end
local function ineligible() return refuse "INELIGIBLE_TRANSACTION_STATUS" end

-- The same key and payload: the first answer again, for a day; what the provider broke on is not kept.
local function idempotent(ctx, request, run)
  local key = request.headers["idempotency-key"] or request.headers["x-idempotency-key"]
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
      maintenance = maintenance, refused = not_activated }
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

local function number(ctx, prefix, digits, n, wanted)
  local own = prefix .. ("%0" .. digits .. "d"):format(n)
  if not wanted then return own end
  wanted = wanted:sub(1, #prefix) == prefix and wanted or prefix .. wanted
  local holder = find(ctx, wanted)
  return wanted, holder ~= nil and seen(ctx, holder) == "pending"
end

-- Writes the record and all by which it is found.
local function keep(ctx, tx, n)
  tx.updated_at, tx.status = tx.made_at, "pending"
  tx.payments, tx.refunds, tx.owes, tx.refunded = json.array {}, json.array {}, json.array {}, 0
  tx.base = ctx.url "/sandbox/xendit" -- where a person's browser finds it, not Xendit's own host
  if tx.kind == "qr" or tx.type == "QR_CODE" then tx.qr_string = rules.qr_string(tx.amount, n) end
  sim.later(ctx, tx.expires_at, "expire", { id = tx.id })
  ctx.store.put("tx " .. tx.id, json.encode(tx))
  simulator.update(ctx, "all " .. tx.reference, function(list)
    list = json.array(list or {})
    list[#list + 1] = tx.id
    return list
  end)
  for _, ref in ipairs { tx.reference, tx.number or false, tx.method or false, table_or(tx.metadata).payment or false,
    table_or(tx.metadata).order_id or false } do
    if ref then ctx.store.put("ref " .. ref, tx.id) end
  end
  return tx
end

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
  if tx.type == "VIRTUAL_ACCOUNT" then tx.number, used = number(ctx, bank.prefix, bank.digits, n, tx.number) end
  if tx.type == "OVER_THE_COUNTER" then tx.number, used = number(ctx, outlet.prefix, 8, n, tx.properties.payment_code) end
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
    if kind == "va" then tx.number, used = number(ctx, tx.prefix, tx.digits, n, tx.wanted) end
    if kind == "code" then tx.number, used = number(ctx, tx.prefix, 8, n, tx.wanted) end
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
  local now, done = change_and_tell(ctx, tx.id, TELL_MS, function(t)
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
    local said, _, why = paid(ctx, tx.id, amount, false)
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
    return show(ctx, (void(ctx, tx.id)))
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
    return tx and sim.page { row(ctx, tx) } or refuse "DATA_NOT_FOUND"
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
