-- scripts/lib/xendit_wire.lua: how Xendit is spoken to: its codes, its answers, its amounts and times, and
-- the two products that our channels use, each as one table of the same functions:
--
--   path, named_by    where one is made; what a refund calls it
--   body(ctx, op, spec), list(reference)           what is sent to make one; the path that finds it
--   word(t), reference(t), expires(t), data(t)     what one says of itself; what is kept of it
--   payments(ctx, t), told(note), taken_back(t, payments)     money: { { id, amount, at, status } }
--   shown(t, spec, op), closed(t), close(data)     what the payer sees; whether, and where, it is ended
local told_id = require "told_id"
local wire = {}

local HOST = "api.xendit.co"

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
local function get(ctx, path, timeout)
  local answer, why = ctx.http.get(request(ctx, { url = url(path), timeout = timeout }))
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
function wire.ends(ctx, op)
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
  local body, _, why = get(ctx, "/v2/payment_methods/" .. form.escape(id) .. "/payments?payment_request_id=" .. form.escape(t.id), "12s")
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
  if p.status ~= "SUCCEEDED" or not told_id(p.id) or not amount then return nil end
  return { { id = p.id, amount = amount, at = at(p.updated), status = p.status } }
end

function REQUEST.taken_back(t, payments)
  local list = {}
  for _, p in ipairs(payments) do
    if p.status == "SUCCEEDED" then return nil end -- it contradicts itself: a person's
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

wire.HOST, wire.CATEGORY, wire.REQUEST, wire.INVOICE = HOST, CATEGORY, REQUEST, INVOICE
wire.text_of, wire.table_of, wire.amount_of = text_of, table_of, amount_of
wire.get, wire.effect, wire.payer, wire.back = get, effect, payer, back

return wire
