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
local xendit = {}

local HOST = "api.xendit.co" -- for test and live: the key decides
local CONFIG = { api_key = secret "XENDIT_API_KEY", token = secret "XENDIT_WEBHOOK_TOKEN" }
local KEYS = {
  XENDIT_API_KEY = "dashboard.xendit.co, Settings, API Keys: money-in write",
  XENDIT_WEBHOOK_TOKEN = "dashboard.xendit.co, Settings, Webhooks: verification token; the URLs there are PUBLIC_URL/callbacks/xendit",
}

-- error_code of a refusal and failure_code of a payment -> why. What is not here is no answer: we ask.
-- ACCOUNT_ACCESS_BLOCKED is fraud in one of the reference's two tables and a declined card in the other.
local CATEGORIES = {
  INSUFFICIENT_BALANCE = "INSUFFICIENT_BALANCE MAXIMUM_LIMIT_REACHED",
  CARD_DECLINED = "CARD_DECLINED DECLINED_BY_ISSUER DECLINED_BY_PROCESSOR REJECTED_BY_ACQUIRER EXPIRED_CARD CARD_EXPIRED INVALID_CARD "
    .. "INVALID_CVV INACTIVE_OR_UNAUTHORIZED_CARD ACCOUNT_ACCESS_BLOCKED ACCOUNT_NOT_ACTIVATED BLOCKED_TOKEN INVALID_TOKEN",
  LIMIT_EXCEEDED = "PAYMENT_AMOUNT_LIMITS_EXCEEDED MAX_AMOUNT_LIMIT_ERROR REFUND_AMOUNT_EXCEEDED MAXIMUM_REFUND_AMOUNT_REACHED "
    .. "MINIMUM_EXPECTED_AMOUNT_ERROR MAXIMUM_EXPECTED_AMOUNT_ERROR",
  FRAUD_DETECTED = "SUSPECTED_FRAUDULENT ISSUER_SUSPECT_FRAUD STOLEN_CARD DENIED_PERSON_LIST_MATCHED",
  INVALID_OTP = "INVALID_OTP INVALID_OTP_ERROR EXPIRED_OTP EXPIRED_OTP_ERROR OTP_ATTEMPT_COUNTS_EXCEEDED MAX_OTP_ATTEMPTS_ERROR "
    .. "AUTHENTICATION_FAILED",
  BANK_UNAVAILABLE = "CHANNEL_UNAVAILABLE ISSUER_UNAVAILABLE PROCESSOR_ERROR PROCESSOR_TEMPORARILY_UNAVAILABLE OTP_DELIVERY_ERROR "
    .. "USER_DEVICE_UNREACHABLE USER_UNREACHABLE",
  TIMEOUT = "TIMEOUT_ERROR PARTNER_TIMEOUT_ERROR PROCESSOR_TIMEOUT USER_DID_NOT_AUTHORIZE PAYMENT_REQUEST_EXPIRED",
  DUPLICATE_TRANSACTION = "DUPLICATE_ERROR DUPLICATE_REFERENCE IDEMPOTENCY_ERROR DUPLICATE_CALLBACK_VIRTUAL_ACCOUNT_ERROR "
    .. "DUPLICATED_FIXED_PAYMENT_INSTRUMENT PAYMENT_REQUEST_ALREADY_COMPLETED",
  INVALID_REQUEST = "API_VALIDATION_ERROR INVALID_JSON_FORMAT INVALID_VALUE_ERROR INVALID_ACCOUNT_DETAILS INVALID_PAYMENT_DETAILS "
    .. "CHANNEL_NOT_ACTIVATED CHANNEL_CODE_NOT_SUPPORTED_ERROR FEATURE_NOT_ACTIVATED INVALID_MERCHANT_SETTINGS UNSUPPORTED_CURRENCY "
    .. "INVALID_MERCHANT_CREDENTIALS AMOUNT_MISMATCHED BANK_NOT_SUPPORTED_ERROR EXPIRATION_DATE_NOT_SUPPORTED_ERROR "
    .. "EXPIRATION_DATE_INVALID_ERROR INELIGIBLE_TRANSACTION_STATUS INACTIVE_PAYMENT_REQUEST PARTIAL_REFUND_NOT_SUPPORTED "
    .. "REFUND_NOT_SUPPORTED REFUND_IN_PROGRESS CALLBACK_VIRTUAL_ACCOUNT_NAME_NOT_ALLOWED_ERROR",
  USER_CANCELLED = "USER_DECLINED_PAYMENT",
  UNAUTHORIZED_AT_PROVIDER = "INVALID_API_KEY UNAUTHORIZED REQUEST_FORBIDDEN_ERROR",
}
local CATEGORY = {}
for category, codes in pairs(CATEGORIES) do
  for code in codes:gmatch "%S+" do CATEGORY[code] = category end
end

---- talking ----

local function text_of(value) return type(value) == "string" and value ~= "" and value or nil end
local function table_of(value) return type(value) == "table" and value or {} end

local function url(path) return "https://" .. HOST .. path end

local function request(ctx, what)
  what.basic, what.headers = { ctx.config.api_key, "" }, what.headers or {}
  what.headers.Accept = "application/json"
  return what
end

local function body_of(answer)
  local body = answer:json()
  return type(body) == "table" and body or nil
end

-- error_code where it is Xendit that says no: not a proxy's words, and not 5xx, which says nothing.
local function code_of(answer, body)
  return answer.status >= 400 and answer.status < 500 and body and text_of(body.error_code) or nil
end

local function said(answer, body)
  return "Xendit said HTTP " .. answer.status .. (body and text_of(body.error_code) and " " .. body.error_code or "")
end

-- A GET: the body; or nil, true where Xendit says there is no such thing; or nil, nil, why.
local function get(ctx, path)
  local answer, why = ctx.http.get(request(ctx, { url = url(path) }))
  if not answer then return nil, nil, why end
  local body = body_of(answer)
  if answer.status == 200 and body then return body end
  local code = code_of(answer, body)
  if answer.status == 404 and code and (code == "DATA_NOT_FOUND" or code:find "NOT_FOUND_ERROR$") then return nil, true end
  return nil, nil, said(answer, body)
end

-- The one request that moves something: its body; or nil and the decision that stands already.
local function effect(ctx, path, what)
  what.method, what.url = "POST", url(path)
  local answer, why, code, sent = ctx.http.effect(request(ctx, what))
  if not answer and sent == false then return nil, not_created { message = why, code = code } end
  if not answer then return nil, unknown { message = why, code = code } end
  local body = body_of(answer)
  local refusal = code_of(answer, body)
  if answer.status == 429 then return nil, not_created { message = "Xendit wants us slower" } end
  if CATEGORY[refusal] == "DUPLICATE_TRANSACTION" then return nil, unknown { message = said(answer, body) }, "asked before" end
  if CATEGORY[refusal] then
    return nil, failed { category = CATEGORY[refusal], code = refusal, message = text_of(body.message), final = true }
  end
  if answer.status >= 200 and answer.status < 300 and body then return body end
  local busy = answer.status == 503 and body and body.error_code == "CHANNEL_UNAVAILABLE"
  return nil, unknown { message = said(answer, body) }, busy and "unavailable" or nil
end

---- what is said about money and time ----

local function at(text)
  local ms = text_of(text) and time.parse(text, "rfc3339", "UTC")
  return ms and ms > 0 and ms or nil
end

-- Whole rupiah; nil for what is none, so that nobody rounds money.
local function amount_of(value)
  local amount = value ~= nil and money.parse(tostring(value), "IDR")
  return amount and amount > 0 and amount <= 1000000000000000 and amount or nil
end

-- When the payer can pay no more, in ms, and as Xendit is told it; nil: as Xendit has it.
local function end_ms(ctx, op)
  return op.expires_at or op.input.expires_in and ctx.now() + op.input.expires_in * 1000 or nil
end
function xendit.ends(ctx, op)
  local ms = end_ms(ctx, op)
  return ms and time.format(ms, "%Y-%m-%dT%H:%M:%S.%LZ", "UTC")
end

-- Letters and blanks, as the banks' screens take them.
local function payer(op)
  local name = table_of(op.input.customer).name
  name = text_of(name) and name:gsub("[^%a ]", " "):gsub(" +", " "):match "^ ?(.-) ?$" or ""
  return name ~= "" and name:sub(1, 50) or "Customer"
end

local function back(ctx, op, name)
  return text_of(table_of(op.input.return_urls)[name]) or ctx.url "/"
end

---- payment requests ----

local REQUEST = { path = "/payment_requests", named_by = "payment_request_id" }

local REQUEST_WORDS = { PENDING = "pending", REQUIRES_ACTION = "pending", AWAITING_CAPTURE = "processing", SUCCEEDED = "success",
  FAILED = "failed", CANCELED = "cancelled", VOIDED = "cancelled", EXPIRED = "expired" }
local METHOD_CLOSED = { EXPIRED = true, INACTIVE = true, FAILED = true }

function REQUEST.word(t) return REQUEST_WORDS[t.status] end
function REQUEST.reference(t) return t.reference_id end

function REQUEST.body(ctx, op, spec)
  local way = spec.way(ctx, op)
  way.reusability, way.reference_id = "ONE_TIME_USE", op.reference
  return { json = { reference_id = op.reference, amount = op.input.amount, currency = "IDR", country = "ID", payment_method = way,
    description = op.input.description, metadata = { payment = op.payment, order_id = op.input.order_id } },
    headers = { ["idempotency-key"] = op.id } } -- the same attempt never makes two
end

function REQUEST.list(reference)
  return "/payment_requests?reference_id=" .. form.escape(reference) .. "&limit=50", "data"
end

-- The payments of one: { { id, amount, at, status } }. Nil where that cannot be read.
function REQUEST.payments(ctx, t)
  local id = text_of(table_of(t.payment_method).id)
  if not id then return nil, "a payment request without its method" end
  local body, _, why = get(ctx, "/v2/payment_methods/" .. form.escape(id) .. "/payments?payment_request_id=" .. form.escape(t.id))
  if not body or type(body.data) ~= "table" then return nil, why or "Xendit's list of payments is none" end
  local list = {}
  for _, p in ipairs(body.data) do
    local amount = amount_of(p.amount)
    if not text_of(p.id) or not amount then return nil, "a payment without id or amount" end
    if p.payment_request_id == t.id then
      list[#list + 1] = { id = p.id, amount = amount, at = at(p.updated) or at(p.created), status = p.status }
    end
  end
  return list
end

-- What a callback says of itself, for when the list cannot be read.
function REQUEST.told(note)
  local p, amount = table_of(note.data), amount_of(table_of(note.data).amount)
  if p.status ~= "SUCCEEDED" or not text_of(p.id) or not amount then return nil end
  return { { id = p.id, amount = amount, at = at(p.updated), status = p.status } }
end

function REQUEST.taken_back(t, payments)
  local list = {}
  for _, p in ipairs(payments) do
    if p.status == "VOIDED" then list[#list + 1] = p end
  end
  if #list == 0 and amount_of(t.amount) then list[1] = { amount = amount_of(t.amount) } end
  return list
end

function REQUEST.shown(t, spec, op)
  local method = table_of(t.payment_method)
  -- The bank does not know the number yet: what is not shown is not paid in vain. Asked again.
  if method.status == "PENDING" and method.type == "VIRTUAL_ACCOUNT" then return nil end
  return spec.shown(method, table_of(t.actions), op)
end

function REQUEST.expires(t)
  local method = table_of(t.payment_method)
  local way = table_of(method.virtual_account or method.over_the_counter or method.qr_code)
  return at(table_of(way.channel_properties).expires_at)
end

function REQUEST.closed(t) return METHOD_CLOSED[table_of(t.payment_method).status] or false end
function REQUEST.data(t) return { id = t.id, method = text_of(table_of(t.payment_method).id) } end
function REQUEST.close(data) return data.method and "/v2/payment_methods/" .. form.escape(data.method) .. "/expire" end

---- invoices ----

local INVOICE = { path = "/v2/invoices", named_by = "invoice_id" }
local INVOICE_WORDS = { PENDING = "pending", PAID = "success", SETTLED = "success", EXPIRED = "expired" }

function INVOICE.word(t) return INVOICE_WORDS[t.status] end
function INVOICE.reference(t) return t.external_id end

function INVOICE.body(ctx, op, spec)
  local until_ms, c = end_ms(ctx, op), table_of(op.input.customer)
  return { json = { external_id = op.reference, amount = op.input.amount, currency = "IDR", payment_methods = json.array { spec.only },
    description = op.input.description or op.input.order_id, invoice_duration = until_ms and math.max(60, (until_ms - ctx.now()) // 1000),
    should_send_email = false, payer_email = text_of(c.email), success_redirect_url = back(ctx, op, "success"),
    failure_redirect_url = back(ctx, op, "failure"), metadata = { payment = op.payment, order_id = op.input.order_id } } }
end

function INVOICE.list(reference) return "/v2/invoices?external_id=" .. form.escape(reference) .. "&limit=50" end

-- An invoice is paid once, and whole: where it does not say how much, then what it was for.
local function of_invoice(t)
  local amount = amount_of(t.paid_amount or t.amount)
  return amount and { { id = t.id, amount = amount, at = at(t.paid_at), status = "SUCCEEDED" } } or nil
end
function INVOICE.payments(_, t)
  local paid = of_invoice(t)
  return paid, paid and nil or "an invoice without an amount"
end
function INVOICE.told() return nil end
function INVOICE.taken_back() return {} end
function INVOICE.shown(t) return { redirect_url = text_of(t.invoice_url) } end
function INVOICE.expires(t) return at(t.expiry_date) end
function INVOICE.closed() return false end
function INVOICE.data(t) return { id = t.id } end
function INVOICE.close(data) return "/invoices/" .. form.escape(data.id) .. "/expire!" end

---- asking ----

-- Whether what bears our reference was made by us for this payment.
local function ours(t, payment, amount)
  local of = text_of(table_of(t.metadata).payment)
  if of and payment then return of == payment end
  return amount == nil or amount_of(t.amount) == amount
end

-- What Xendit has of an attempt: by its id where we know it, else by our reference. As get().
local function ask(ctx, kind, a)
  if a.id then
    local t, none, why = get(ctx, kind.path .. "/" .. form.escape(a.id))
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

-- What Xendit has, as our decision about the attempt.
local function decide(ctx, kind, t, op, spec)
  local word = kind.word(t)
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

local function inquire_refund(ctx, kind, op)
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
  return not_created { message = "Xendit knows no such refund" } -- its key would be refused if it were late
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
  return but == "asked before" and inquire_refund(ctx, kind, op) or decision
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
  if not note.event and INVOICE_WORDS[note.status] and text_of(note.id) then return INVOICE, note.id, text_of(note.external_id) end
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

-- It ended unpaid; or it had been paid, and is taken back.
local function settle_ended(ctx, kind, t, reference, word, was)
  local verdict = ctx.settle { reference = reference, status = word, category = word == "failed" and category_of(t) or nil,
    code = text_of(t.failure_code) or t.status, message = word == "failed" and "Xendit said it failed" or nil }
  if was ~= "success" or word == "expired" then return verdict end
  local payments = kind.payments(ctx, t)
  if not payments then return nil end
  for _, p in ipairs(kind.taken_back(t, payments)) do
    verdict = ctx.settle { reference = reference, status = "reversed", money_id = p.id, amount = p.amount, message = "taken back" }
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
    log.warn("xendit_not_ours", { event = tostring(note.event), id = tostring(note.id) })
    return reply(503, { status = "not ours" })
  end
  local t = ask(ctx, kind, { id = id })
  reference = t and text_of(kind.reference(t)) == reference and reference
  if not reference then return reply(503, { status = "try again" }) end
  local word, verdict = kind.word(t), nil
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
  -- Told of an end that Xendit does not know of when it is asked: it shall come again.
  return reply(verdict and verdict ~= "not_found" and 200 or 503, { status = verdict or "try again" })
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
    docs = { keys = KEYS, certainty = spec.certainty },
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
      channel_properties = { customer_name = payer(op), expires_at = xendit.ends(ctx, op) } } }
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
      channel_properties = { customer_name = payer(op), expires_at = xendit.ends(ctx, op) } } }
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
  spec.effect = spec.push and "charge" or "offer"
  spec.way = function(ctx, op)
    local properties = spec.properties and spec.properties(op)
      or { success_return_url = back(ctx, op, "success"), failure_return_url = back(ctx, op, "failure") }
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

-- 0812..., 62812... and +62812... -> +62812...
function xendit.phone(text)
  local digits = tostring(text):gsub("[^%d]", "")
  return "+62" .. digits:gsub("^62", ""):gsub("^0", "")
end

return xendit
