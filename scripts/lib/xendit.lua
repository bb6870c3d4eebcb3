-- scripts/lib/xendit.lua: what all Xendit channels share. Two of Xendit's products are spoken, because
-- both can be asked by our own reference after a call without an answer: payment requests (v2: virtual
-- accounts, wallets, QRIS, outlets) and hosted invoices (cards and pay-later: the payer gives his data
-- to Xendit's page, never to us). The older product APIs, and v3, are found by Xendit's id only.
--
--   local xendit = require "xendit"
--   return xendit.virtual_account { bank = "bca", code = "BCA", title = ... }
--   return xendit.wallet { code = "DANA", ... }, xendit.outlet, xendit.channel; xendit.invoice { only = "KREDIVO", ... }
--
-- Traps it is written around: a callback's body is not signed, only a token comes with it, and the
-- shape of payment requests' callbacks is the reference's least certain part: so a callback is a hint,
-- and Xendit is asked before anything moves; a callback that is sent again thereby changes nothing.
-- reference_id and external_id need not be unique: what bears ours is ours only with our payment in its
-- metadata. 5xx may have happened. Messages for people decide nothing.
local told_id = require "told_id"
local wire = require "xendit_wire"
local xendit = {}

local CATEGORY, REQUEST, INVOICE = wire.CATEGORY, wire.REQUEST, wire.INVOICE
local text_of, table_of, amount_of, get, effect = wire.text_of, wire.table_of, wire.amount_of, wire.get, wire.effect
local HOST = wire.HOST -- for test and live: the key decides
local CONFIG = { api_key = secret "XENDIT_API_KEY", token = secret "XENDIT_WEBHOOK_TOKEN" }
local KEYS = {
  XENDIT_API_KEY = "dashboard.xendit.co, Settings, API Keys: money-in write",
  XENDIT_WEBHOOK_TOKEN = "dashboard.xendit.co, Settings, Webhooks: verification token; the URLs there are PUBLIC_URL/callbacks/xendit",
}

---- asking ----

-- Whether what bears our reference was made by us for this payment.
local function ours(t, payment, amount)
  local of = text_of(table_of(t.metadata).payment)
  if of and payment then return of == payment end
  return amount == nil or amount_of(t.amount) == amount
end

-- What Xendit has of an attempt: by its id where we know it, else by our reference. As get().
local function ask(ctx, kind, a, timeout)
  if a.id then
    local t, none, why = get(ctx, kind.path .. "/" .. form.escape(a.id), timeout)
    if t and (t.id ~= a.id or (a.reference and kind.reference(t) ~= a.reference)) then return nil, nil, "Xendit spoke of another" end
    return t, none, why
  end
  local path, member = kind.list(a.reference)
  local body, none, why = get(ctx, path)
  if none then return nil, true end
  local list = body
  if body and member then list = body[member] end
  if type(list) ~= "table" or (list[1] == nil and next(list) ~= nil) then return nil, nil, why or "Xendit's list is none" end
  local found
  for _, t in ipairs(list) do
    local fits = type(t) == "table" and text_of(t.id) and kind.reference(t) == a.reference and ours(t, a.payment, a.amount)
    if fits and (not found or kind.word(t) == "success") then found = t end
  end
  return found, not found
end

local function asked_by(op, attempt)
  local data = attempt and attempt.data or op.kind == "create" and op.data or {}
  if op.kind == "create" then return { reference = op.reference, id = data.id, payment = op.payment, amount = op.input.amount } end
  return { reference = op.input.reference or op.reference, id = data.id, payment = op.payment }
end

local function sum_of(payments, status)
  local sum, last = 0, nil
  for _, p in ipairs(payments) do
    if p.status == status then sum, last = sum + p.amount, p end
  end
  return sum, last
end

local function category_of(t) return CATEGORY[t.failure_code] or "PROVIDER_ERROR" end

-- That nobody confirmed in time is the end of a page; of a push it is the payer's answer.
local PUSHED = { OVO = true, JENIUSPAY = true }
local function word_of(kind, t)
  local word = kind.word(t)
  if word ~= "failed" or t.failure_code ~= "USER_DID_NOT_AUTHORIZE" then return word end
  local wallet = table_of(table_of(t.payment_method).ewallet)
  return PUSHED[text_of(wallet.channel_code) or ""] and word or "expired"
end

-- What Xendit has, as our decision about the attempt.
local function decide(ctx, kind, t, op, spec)
  local word = word_of(kind, t)
  if word == "success" then
    local payments, why = kind.payments(ctx, t)
    if not payments then return unknown { message = why } end
    local sum, last = sum_of(payments, "SUCCEEDED")
    if not last then return unknown { message = "paid, and no payment of it" } end
    return success { reference = t.id, money_id = sum == last.amount and last.id or nil, amount = sum, paid_at = last.at, data = kind.data(t) }
  elseif word == "pending" or word == "processing" then
    local facts = word == "pending" and kind.shown(t, spec, op)
    local shown = facts or {}
    shown.reference, shown.expires_at, shown.data = t.id, kind.expires(t), kind.data(t)
    return facts and pending(shown) or processing(shown)
  elseif word == "failed" then
    return failed { category = category_of(t), code = text_of(t.failure_code), message = "Xendit: " .. tostring(t.failure_code), final = true }
  elseif word == "cancelled" then
    return cancelled {}
  elseif word == "expired" then
    return expired {}
  end
  return unknown { message = "status " .. tostring(t.status) }
end

local function inquire_create(ctx, kind, op, spec)
  local t, none, why = ask(ctx, kind, asked_by(op))
  if t then return decide(ctx, kind, t, op, spec) end
  -- Gone after it was seen: that proves nothing.
  if none and op.status ~= "pending" and op.status ~= "processing" then return not_created { message = "Xendit does not know it" } end
  return unknown { message = why or "Xendit does not know it any more" }
end

local function create(ctx, kind, op, spec)
  local t, decision, but = effect(ctx, kind.path, kind.body(ctx, op, spec))
  if t then
    if not text_of(t.id) or kind.reference(t) ~= op.reference then return unknown { message = "Xendit spoke of another" } end
    return decide(ctx, kind, t, op, spec)
  end
  if not but then return decision end
  -- The key was used before, by ourselves a moment ago; or the channel is away, which is a 5xx: believed
  -- where Xendit has nothing under our reference either.
  local found, none = ask(ctx, kind, asked_by(op))
  if found then return decide(ctx, kind, found, op, spec) end
  if none and but == "unavailable" then return failed { category = "BANK_UNAVAILABLE", code = "CHANNEL_UNAVAILABLE", final = true } end
  return decision
end

---- cancel ----

-- Whether the payer may have seen how to pay; so it is where that is not known.
local function was_shown(attempt)
  if not attempt or attempt.data and attempt.data.id then return true end
  return attempt.status ~= "sending" and attempt.status ~= "unknown"
end

local OPEN = "it is still open"

-- Of a cancel: did it happen?
local function inquire_cancel(ctx, kind, op)
  local attempt = ctx.find { reference = op.input.reference or op.reference }
  local t, none, why = ask(ctx, kind, asked_by(op, attempt))
  if none and not was_shown(attempt) then return success {} end -- nobody can pay what nobody was shown
  if not t then return unknown { message = why } end
  local word = kind.word(t)
  if word == "success" then return failed { category = "INVALID_REQUEST", code = "PAID", message = "it is paid", final = true } end
  if word == "pending" then return kind.closed(t) and success {} or not_created { message = OPEN } end
  return word and word ~= "processing" and success {} or unknown { message = tostring(t.status) }
end

-- What is known of the attempt at Xendit: from when it was made, else it is asked for; or nil, none, why.
local function known(ctx, kind, op)
  local attempt = ctx.find { reference = op.input.reference or op.reference }
  local data = attempt and table_of(attempt.data) or {}
  if data.id then return data, false, nil, attempt end
  local t, none, why = ask(ctx, kind, asked_by(op, attempt))
  return t and kind.data(t), none, why or "Xendit does not know it", attempt
end

-- Whatever the answer: what is so afterwards decides. The payer may have been quicker.
local function cancel(ctx, kind, op)
  local data, none, why, attempt = known(ctx, kind, op)
  if none and not was_shown(attempt) then return success {} end
  local path = data and kind.close(data)
  if not path then return not_created { message = why or "Xendit gave it no method" } end
  local _, decision = effect(ctx, path, { json = json.object {} })
  local found = inquire_cancel(ctx, kind, op)
  return decision and decision.category and found.message == OPEN and decision or found
end

---- refunds ----

local function decide_refund(r)
  local facts = { reference = text_of(r.id), data = { id = text_of(r.id) } }
  if r.status == "SUCCEEDED" then return success(facts) end
  if r.status == "PENDING" then return processing(facts) end
  if r.status == "FAILED" or r.status == "CANCELLED" then
    return failed { category = category_of(r), code = text_of(r.failure_code) or r.status, message = "Xendit gave nothing back", final = true }
  end
  return unknown { message = "refund " .. tostring(r.status) }
end

-- What became of it; nil and why where Xendit lists none of its reference.
local function ask_refund(ctx, kind, op)
  local id = text_of(table_of(op.data).id)
  if id then
    local r, _, why = get(ctx, "/refunds/" .. form.escape(id))
    return r and decide_refund(r) or unknown { message = why or "Xendit does not know it any more" }
  end
  local data, _, why = known(ctx, kind, op)
  if not data then return unknown { message = why } end
  local list
  list, _, why = get(ctx, "/refunds?" .. kind.named_by .. "=" .. form.escape(data.id) .. "&limit=100")
  if not list or type(list.data) ~= "table" then return unknown { message = why or "Xendit's list of refunds is none" } end
  for _, r in ipairs(list.data) do
    if r.reference_id == op.reference then return decide_refund(r) end
  end
  if list.has_more == true then return unknown { message = "more refunds than one page" } end
  return nil, "Xendit knows no such refund"
end

-- One that is not listed may still come, and the merchant's next one has another key: the engine asks for a day.
local function inquire_refund(ctx, kind, op)
  local decision, why = ask_refund(ctx, kind, op)
  return decision or not_created { message = why }
end

local function refund(ctx, kind, op, spec)
  local data, _, why, attempt = known(ctx, kind, op)
  if spec.refunds == "whole" and attempt and op.input.amount ~= attempt.amount_due then
    return failed { category = "INVALID_REQUEST", code = "PARTIAL_REFUND_NOT_SUPPORTED", message = "only the whole sum goes back", final = true }
  end
  if not data then return not_created { message = why } end
  local r, decision, but = effect(ctx, "/refunds", { headers = { ["idempotency-key"] = op.id }, json = { [kind.named_by] = data.id,
    reference_id = op.reference, currency = "IDR", amount = op.input.amount, reason = "OTHERS", metadata = { reason = op.input.reason } } })
  if r and (r.reference_id ~= op.reference or not text_of(r.id)) then return unknown { message = "Xendit spoke of another refund" } end
  if r then return decide_refund(r) end
  if but ~= "asked before" then return decision end
  local found, none = ask_refund(ctx, kind, op) -- one that is not listed yet is on its way
  return found or unknown { message = none }
end

---- callbacks ----

-- Events that carry no news of money: account linking, a method's own state, a refund (it is asked about).
local function no_news(event)
  for _, family in ipairs { "payment_method.", "payment_token.", "refund.", "credit_card.", "ewallet.refund" } do
    if event:sub(1, #family) == family then return true end
  end
  return event == "payment.pending" or event == "payment.awaiting_capture"
end

-- Which of our two products a callback is about, its id and our reference there.
local function about(note)
  local data = table_of(note.data)
  if text_of(note.event) and text_of(data.payment_request_id) then return REQUEST, data.payment_request_id, text_of(data.reference_id) end
  if not note.event and INVOICE.word(note) and text_of(note.id) then return INVOICE, note.id, text_of(note.external_id) end
end

local function settle_paid(ctx, reference, payments)
  local verdict
  for _, p in ipairs(payments) do
    if p.status == "SUCCEEDED" then
      verdict = ctx.settle { reference = reference, status = "success", money_id = p.id, amount = p.amount, paid_at = p.at }
    end
  end
  return verdict
end

-- It ended unpaid; or it had been paid, and is taken back: also what waits in suspense, of an attempt that
-- never succeeded. Where we had not heard that it came, nothing is booked and nothing taken back.
local function settle_ended(ctx, kind, t, reference, word, was)
  local verdict = ctx.settle { reference = reference, status = word, category = word == "failed" and category_of(t) or nil,
    code = text_of(t.failure_code) or t.status, message = word == "failed" and "Xendit said it failed" or nil }
  if word == "expired" or was ~= "success" and t.status ~= "VOIDED" then return verdict end
  local payments = kind.payments(ctx, t)
  local taken = payments and kind.taken_back(t, payments)
  if not taken then
    log.error("xendit_taken_back", { reference = reference, status = tostring(t.status) })
    return nil
  end
  for _, p in ipairs(taken) do
    local back = ctx.settle { reference = reference, status = "reversed", money_id = p.id, amount = p.amount, message = "taken back" }
    if was == "success" then verdict = back end
  end
  return verdict
end

function xendit.notify(ctx, req)
  local given = req.headers["x-callback-token"]
  ctx.verify(text_of(given) ~= nil and crypto.equal(given, ctx.config.token), "x-callback-token does not fit")
  local note = json.decode(req.body)
  if type(note) ~= "table" then return reply(400, { status = "no JSON object" }) end
  if text_of(note.event) and no_news(note.event) then return reply(200, { status = "ok" }) end
  local kind, id, reference = about(note)
  if not kind then -- of a product that we do not use: a person's, or another system's at this account
    log.warn("xendit_not_ours", { told = tostring(note.event), id = tostring(note.id) })
    return reply(503, { status = "not ours" })
  end
  if not told_id(id) or reference and not told_id(reference) then -- Xendit repeats 5xx, and it will say the same
    log.error("xendit_unreadable", { id = id:sub(1, 80), reference = tostring(reference):sub(1, 80) })
    return reply(400, { status = "an id or reference that does not read" })
  end
  local t = ask(ctx, kind, { id = id }, "12s") -- in time; else we ask later
  if not t or not reference or text_of(kind.reference(t)) ~= reference then
    if reference then ctx.ask { reference = reference } end -- Xendit may never say it again
    return reply(503, { status = "try again" })
  end
  local word, verdict = word_of(kind, t), nil
  local attempt = ctx.find { reference = reference }
  if attempt and not ours(t, attempt.payment) then return reply(503, { status = "another's" }) end
  if word == "success" then
    local payments = kind.payments(ctx, t) or kind.told(note)
    verdict = payments and settle_paid(ctx, reference, payments)
  elseif word == "failed" or word == "cancelled" or word == "expired" then
    verdict = settle_ended(ctx, kind, t, reference, word, attempt and attempt.status)
  elseif word == nil then
    log.error("xendit_status", { reference = reference, status = tostring(t.status) })
  end
  if verdict and verdict ~= "not_found" then return reply(200, { status = verdict }) end
  -- Told of an end that Xendit does not know of when it is asked, or what was paid could not be read: it
  -- shall come again, and we ask as well.
  if not verdict then ctx.ask { reference = reference } end
  return reply(503, { status = verdict or "try again" })
end

---- a channel ----

local INQUIRE = { cancel = inquire_cancel, refund = inquire_refund }

local function channel(kind, spec)
  local function inquire(ctx, op)
    local run = INQUIRE[op.kind]
    if run then return run(ctx, kind, op) end
    return inquire_create(ctx, kind, op, spec)
  end
  return {
    api = 1, title = spec.title, provider = "xendit", method = spec.method, bank = spec.bank, effect = spec.effect or "offer",
    limits = spec.limits, expires = spec.expires, hosts = { sandbox = HOST, staging = HOST, production = HOST }, config = CONFIG,
    input = spec.input, poll = spec.poll or { first = "2m", factor = 2, max = "30m" }, lookup = "ours", amounts = "closed",
    create = function(ctx, op) return create(ctx, kind, op, spec) end,
    inquire = inquire,
    cancel = spec.cancels and function(ctx, op) return cancel(ctx, kind, op) end or nil,
    refund = spec.refunds and function(ctx, op) return refund(ctx, kind, op, spec) end or nil,
    notify = xendit.notify,
    docs = { keys = KEYS, certainty = spec.certainty, refunds = spec.refunds == "whole" and "whole" or nil, expiry = spec.fixed and "fixed" or nil },
  }
end

-- By a payment request: spec.way(ctx, op) is its payment_method, spec.shown(method, actions) what the payer sees.
function xendit.channel(spec) return channel(REQUEST, spec) end

-- By a hosted page that offers one way to pay: spec.only, as Xendit calls it.
function xendit.invoice(spec)
  spec.cancels = true
  spec.expires = spec.expires or { default = "24h", max = "30d", grace = "15m" }
  return channel(INVOICE, spec)
end

-- A closed account for one payment; Xendit does not tell that it expired.
function xendit.virtual_account(spec)
  spec.method, spec.cancels = "virtual_account", true
  spec.expires = spec.expires or { default = "24h", max = "30d", grace = "15m" }
  spec.poll = spec.poll or { first = "15m", factor = 2, max = "6h" }
  spec.way = function(ctx, op)
    return { type = "VIRTUAL_ACCOUNT", virtual_account = { channel_code = spec.code, amount = op.input.amount, currency = "IDR",
      channel_properties = { customer_name = wire.payer(op), expires_at = wire.ends(ctx, op) } } }
  end
  spec.shown = function(method)
    return { va_number = text_of(table_of(table_of(method.virtual_account).channel_properties).virtual_account_number) }
  end
  spec.certainty = spec.certainty or "requests and answers as the publisher's SDK types them; limits from the publisher's documentation"
  return channel(REQUEST, spec)
end

-- A code that is paid at the outlet's till.
function xendit.outlet(spec)
  spec.method, spec.cancels = "retail", true
  spec.limits = { min = 10000, max = 5000000 }
  spec.expires = { default = "24h", max = "30d", grace = "15m" }
  spec.poll = { first = "15m", factor = 2, max = "6h" }
  spec.way = function(ctx, op)
    return { type = "OVER_THE_COUNTER", over_the_counter = { channel_code = spec.code, amount = op.input.amount, currency = "IDR",
      channel_properties = { customer_name = wire.payer(op), expires_at = wire.ends(ctx, op) } } }
  end
  spec.shown = function(method)
    local code = text_of(table_of(table_of(method.over_the_counter).channel_properties).payment_code)
    return { payment_code = code, outlet = spec.bank }
  end
  spec.certainty = "requests and answers as the publisher's SDK types them; limits from the publisher's documentation"
  return channel(REQUEST, spec)
end

-- Where the payer's app or a page takes over; or, with spec.push, where his app rings by itself.
function xendit.wallet(spec)
  spec.method = "ewallet"
  spec.effect, spec.fixed = spec.push and "charge" or "offer", not spec.push
  spec.way = function(ctx, op)
    local properties = spec.properties and spec.properties(op)
      or { success_return_url = wire.back(ctx, op, "success"), failure_return_url = wire.back(ctx, op, "failure") }
    return { type = "EWALLET", ewallet = { channel_code = spec.code, channel_properties = properties } }
  end
  spec.shown = function(_, actions)
    if spec.push then return { push = spec.push } end
    local by = {}
    for _, a in ipairs(actions) do by[tostring(a.url_type)] = by[tostring(a.url_type)] or text_of(a.url) end
    local web = by.MOBILE or by.WEB
    return { redirect_url = web or by.DEEPLINK, deeplink_url = by.DEEPLINK }
  end
  return channel(REQUEST, spec)
end

xendit.ends = wire.ends -- for channels whose way to pay is their own

-- 0812..., 62812... and +62812... -> +62812...
function xendit.phone(text)
  local digits = tostring(text):gsub("[^%d]", "")
  return "+62" .. digits:gsub("^62", ""):gsub("^0", "")
end

return xendit
