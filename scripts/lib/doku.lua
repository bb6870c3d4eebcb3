-- scripts/lib/doku.lua: what all DOKU channels share. A channel file says what it charges:
--
--   doku.va     { bank = "bca", code = "VIRTUAL_ACCOUNT_BCA" }      SNAP, a number of our own behind DOKU's prefix
--   doku.wallet { bank = "dana", code = "EMONEY_DANA_SNAP" }        SNAP, a page of the wallet
--   doku.qris   { ... }                                             SNAP
--   doku.order  { path =, order = function(ctx, op) end, ... }      non-SNAP: card page, Alfamart, OVO
--
-- Traps it is written around: a call that got no answer is asked about by our own reference, never sent
-- again; FAILED of an invoice is one attempt of the payer, who may still pay it; 404 proves something only
-- about what nobody was shown; words for people decide nothing; money has no id that callback and status
-- both name, but for virtual accounts, so one invoice is one transfer (none of ours can be paid twice).
local snap = require "snap"
local talk = require "doku_talk"
local notify = require "doku_notify"
local doku = {}

local VA = "/virtual-accounts/bi-snap-va/v1.1/transfer-va/"
local VA_STATUS = "/orders/v1.0/transfer-va/status"
local DEBIT = "/direct-debit/core/v1/debit/"
local DEBIT_STATUS = "/orders/v1.0/debit/status"
local QR = "/snap-adapter/b2b/v1.0/qr/"
local DAY_MS = 86400000
local REST_MS = 30 * DAY_MS -- how long a number rests after its end: money may still come for it
local LAST_CUSTOMER = 99999999 -- 8 digits: with a prefix of 8 no bank's number is too long (16, the least)
local SEEN = { pending = true, processing = true, success = true }

-- Of operations on a payment: what the provider knows the payment by.
local function target(op) return op.input.reference or op.reference end

local function ends_at(ctx, op, spec)
  local usual = ctx.now() + (op.input.expires_in and op.input.expires_in * 1000 or time.duration(spec.expires.default))
  return math.min(op.expires_at or usual, usual) -- a way that was chosen late ends with its order
end

local function wrong(what) return unknown { message = "DOKU spoke of another " .. what } end

-- Nothing there: that proves something only before anybody was shown how to pay.
local function missing(op, why)
  if SEEN[op.status] then return unknown { message = why } end
  return not_created { message = why }
end

---- SNAP: what a status says ----

-- word, amount, paid at -> our decision about the charge; an amount that does not read is no success.
local function decide(word, amount, paid_at, body, code)
  if word == "success" or word == "refunded" then -- refunded: it was paid
    if not amount then return unknown { message = "paid, but how much does not read", code = code } end
    return success { amount = amount, paid_at = paid_at }
  elseif word == "pending" then
    return pending {}
  elseif word == "processing" then
    return processing {}
  elseif word == "failed" then
    return failed { category = "PROVIDER_ERROR", code = code, message = body.transactionStatusDesc, final = true }
  elseif word == "cancelled" then
    return cancelled {}
  end
  return unknown { message = "DOKU's status is new", code = code }
end

-- Codes other than 200 of a question about a charge.
local function about_charge(op, why, http, case, code)
  if not http then return unknown { message = why } end
  if http == 403 and case == "00" or http == 404 and case == "19" then return expired {} end
  if http == 404 and (case == "01" or case == "12") then return missing(op, "DOKU does not know it (" .. code .. ")") end
  return unknown { message = "DOKU said " .. code, code = code }
end

-- An answer to an effect that says neither yes nor no: used before (409), paid (404/14), other data under
-- the same reference (404/18), or 5xx.
local function unclear(op, body, http, code, ask)
  if http == 409 or http == 404 then
    local about = op
    if http == 409 then -- a twin of it may be on its way there: that it is not found yet proves nothing
      about = {}
      for name, value in pairs(op) do about[name] = value end
      about.status = "processing"
    end
    local decision = ask(about)
    if decision then return decision end
  end
  return unknown { message = op.kind .. ": DOKU said " .. code .. " " .. tostring(body.responseMessage), code = code }
end

local CHANGES = { cancelled = true, expired = true, failed = true }

-- Did the cancel happen? What became of the charge tells; nobody can pay what nobody was shown.
local function cancelled_by(d, kind)
  if kind == "success" then return failed { category = "INVALID_REQUEST", message = "it is paid", final = true } end
  if kind == "pending" then return not_created { message = "it is still open" } end
  if CHANGES[kind] then return success {} end
  return unknown { message = d.message }
end

---- virtual accounts ----

local function customer_name(op)
  local name = op.input.customer and op.input.customer.name or ""
  name = name:gsub("[^%w.\\%-/+,=_:'@%% ]", " "):sub(1, 255)
  return name:find "%S" and name or "Customer"
end

local function phone_of(op)
  local phone = op.input.customer and op.input.customer.phone
  phone = phone and phone:gsub("%D", ""):gsub("^0", "62")
  return phone and #phone >= 9 and #phone <= 30 and phone or nil
end

-- The number of a reference's account is reserved for it before it is sent, so that it can be asked about
-- whatever happens: nil where none was, so that nothing was sent either.
local function va_pool(spec) return "va " .. spec.bank end
local function va_holder(op, reference) return op.account .. " " .. reference end
local function va_customer(ctx, op, spec, reference)
  local number = ctx.allocated(va_pool(spec), va_holder(op, reference))
  return number and ("%08d"):format(number)
end

-- Whether its time may be over, so that it proves nothing that none is reserved.
local function va_rested(ctx, op) return op.expires_at and ctx.now() >= op.expires_at + REST_MS end

-- What the account is named by.
local function va_name(ctx, customer, more)
  local service = ("%8s"):format(ctx.config.service_id)
  more.partnerServiceId, more.customerNo, more.virtualAccountNo = service, customer, service .. customer
  return more
end

-- The state of an account, as word and decision; "gone": DOKU knows none.
local function va_ask(ctx, op, spec, reference)
  local customer = va_customer(ctx, op, spec, reference)
  if not customer and va_rested(ctx, op) then return "other", unknown { message = "its number is not kept any more" } end
  if not customer then return "gone", not_created { message = "it was never sent" } end
  local body, http, case, code = talk.ask(ctx, VA_STATUS, va_name(ctx, customer, {}))
  if not body or http ~= 200 then
    local decision = about_charge(op, http, body and http, case, code)
    return body and http == 404 and (case == "01" or case == "12") and "gone" or "other", decision
  end
  local data = type(body.virtualAccountData) == "table" and body.virtualAccountData or {}
  if type(data.virtualAccountNo) == "string" and not data.virtualAccountNo:find(customer .. "$") then return "other", wrong "account" end
  if data.trxId ~= nil and data.trxId ~= reference then return "other", wrong "order" end
  -- The standard has paymentFlagStatus. DOKU's own client does not know it there: without it the reason's
  -- English text is all there is, and only its plainest word counts.
  local flag, reason = data.paymentFlagStatus, type(data.paymentFlagReason) == "table" and data.paymentFlagReason.english
  local paid = flag == "00" or flag == nil and reason == "Success"
  if paid then
    local decision = decide("success", snap.amount(data.paidAmount), snap.time(data.transactionDate or data.trxDateTime), data)
    return decision.amount and "success" or "other", decision
  end
  -- 01 is an attempt at the bank that failed: the account can still be paid.
  if flag == "03" or flag == "01" or flag == nil and (reason == "Pending" or reason == nil) then
    return "pending", pending { va_number = ctx.config.service_id .. customer }
  end
  return "other", unknown { message = "payment flag " .. tostring(flag), code = flag }
end

local function va_create(ctx, op, spec)
  local ends = ends_at(ctx, op, spec)
  local customer = va_customer(ctx, op, spec, op.reference) -- of a try before
  if not customer then
    local rests = math.max(ends, op.expires_at or 0) + REST_MS -- see va_rested
    local number, why = ctx.allocate(va_pool(spec), { 0, LAST_CUSTOMER }, rests, va_holder(op, op.reference))
    if not number then return failed { category = "BANK_UNAVAILABLE", message = why, final = true } end
    customer = ("%08d"):format(number)
  end
  local decision, body, http, _, code = talk.effect(ctx, "POST", VA .. "create-va", va_name(ctx, customer, {
    virtualAccountName = customer_name(op), virtualAccountEmail = op.input.customer and op.input.customer.email, virtualAccountPhone = phone_of(op),
    trxId = op.reference, totalAmount = snap.money(op.input.amount), virtualAccountTrxType = "C", expiredDate = snap.timestamp(ends),
    additionalInfo = { channel = spec.code, virtualAccountConfig = { reusableStatus = false } } }))
  if decision then return decision end
  if http ~= 200 then return unclear(op, body, http, code, function(o) return select(2, va_ask(ctx, o, spec, o.reference)) end) end
  local data = body.virtualAccountData
  if type(data) ~= "table" or data.trxId ~= op.reference then return wrong "order" end
  local number = tostring(data.virtualAccountNo):gsub("%s", "")
  if number ~= ctx.config.service_id .. customer then return wrong "account" end
  return pending { va_number = number, expires_at = ends }
end

local function va_inquire_cancel(ctx, op, spec)
  local kind, decision = va_ask(ctx, op, spec, target(op))
  if kind == "gone" then return success {} end -- deleted, or never made: nobody can pay it
  return cancelled_by(decision, kind)
end

local function va_cancel(ctx, op, spec)
  local customer = va_customer(ctx, op, spec, target(op))
  if not customer then return va_inquire_cancel(ctx, op, spec) end
  local decision, _, http = talk.effect(ctx, "DELETE", VA .. "delete-va",
    va_name(ctx, customer, { trxId = target(op), additionalInfo = { channel = spec.code } }))
  if decision then return decision end
  return http == 200 and success {} or va_inquire_cancel(ctx, op, spec)
end

---- wallets ----

local function debit_ask(ctx, op, reference)
  local body, http, case, code = talk.ask(ctx, DEBIT_STATUS, { originalPartnerReferenceNo = reference, serviceCode = "55" })
  if not body or http ~= 200 then return about_charge(op, http, body and http, case, code) end
  if body.originalPartnerReferenceNo ~= reference then return wrong "payment" end
  return decide(snap.word(body.latestTransactionStatus), snap.amount(body.transAmount), snap.time(body.paidTime), body,
    body.latestTransactionStatus), body
end

local function wallet_create(ctx, op, spec)
  local back = op.input.return_urls or {}
  local ends = ends_at(ctx, op, spec)
  local decision, body, http, _, code = talk.effect(ctx, "POST", DEBIT .. "payment-host-to-host", {
    partnerReferenceNo = op.reference, amount = snap.money(op.input.amount), validUpTo = snap.timestamp(ends), pointOfInitiation = "Mobile Web",
    urlParam = json.array { { url = back.success or ctx.url "/" or "https://" .. ctx.host(), type = "PAY_RETURN", isDeepLink = "N" } },
    additionalInfo = { channel = spec.code, orderTitle = op.input.description or op.input.order_id or op.reference,
      successPaymentUrl = back.success, failedPaymentUrl = back.failure } },
    { ["X-IP-ADDRESS"] = op.input.ip_address, ["X-DEVICE-ID"] = op.payment or op.reference })
  if decision then return decision end
  if http ~= 200 then return unclear(op, body, http, code, function(o) return (debit_ask(ctx, o, o.reference)) end) end
  if body.partnerReferenceNo ~= nil and body.partnerReferenceNo ~= op.reference then return wrong "payment" end
  local link = body.webRedirectUrl or body.appRedirectUrl
  if type(link) ~= "string" then return unknown { message = "no address to send the payer to" } end
  return pending { redirect_url = link, deeplink_url = body.appRedirectUrl, expires_at = ends, data = { reference_no = body.referenceNo } }
end

local function refund_word(status)
  local words = { ["00"] = "success", ["03"] = "pending", ["06"] = "failed" }
  return words[status]
end

-- What became of it; nil where DOKU lists none of its number.
local function debit_ask_refund(ctx, op)
  local decision, body = debit_ask(ctx, op, target(op))
  if not body then return unknown { message = decision.message } end
  for _, r in ipairs(type(body.refundHistory) == "table" and body.refundHistory or {}) do
    if r.partnerReferenceNo == op.reference or r.partnerRefundNo == op.reference then
      local word = refund_word(r.refundStatus)
      if word == "success" then return success { reference = r.refundNo } end
      if word == "failed" then return failed { category = "PROVIDER_ERROR", code = r.refundStatus, final = true } end
      return processing {}
    end
  end
end

-- One that is not listed may still come, and the merchant's next one has another number: the engine asks for a day.
local function debit_inquire_refund(ctx, op)
  return debit_ask_refund(ctx, op) or not_created { message = "DOKU knows no such refund" }
end

local function refund_answer(op, body, http, code, ask)
  if http == 202 then return processing {} end
  if http ~= 200 then return unclear(op, body, http, code, ask) end
  if body.partnerRefundNo ~= nil and body.partnerRefundNo ~= op.reference then return wrong "refund" end
  return success { reference = body.refundNo }
end

local function debit_refund(ctx, op, spec)
  local decision, body, http, _, code = talk.effect(ctx, "POST", DEBIT .. "refund", { originalPartnerReferenceNo = target(op),
    refundAmount = snap.money(op.input.amount), partnerRefundNo = op.reference, reason = op.input.reason, additionalInfo = { channel = spec.code } },
    { ["X-DEVICE-ID"] = op.payment or target(op) })
  if decision then return decision end
  return refund_answer(op, body, http, code, function() return debit_ask_refund(ctx, op) end) -- used before and not listed: on its way
end

---- QRIS ----

local function qr_ask(ctx, op, reference)
  local attempt = op.kind ~= "create" and ctx.find { reference = reference } or op
  local body, http, case, code = talk.ask(ctx, QR .. "qr-mpm-query", { originalPartnerReferenceNo = reference,
    originalReferenceNo = attempt.data and attempt.data.reference_no, serviceCode = "47", merchantId = ctx.config.merchant_id })
  if not body or http ~= 200 then return about_charge(op, http, body and http, case, code) end
  if body.originalPartnerReferenceNo ~= nil and body.originalPartnerReferenceNo ~= reference then return wrong "payment" end
  return decide(snap.word(body.latestTransactionStatus), snap.amount(body.amount), snap.time(body.paidTime), body,
    body.latestTransactionStatus), body
end

local function qr_create(ctx, op, spec)
  local ends = ends_at(ctx, op, spec)
  local decision, body, http, _, code = talk.effect(ctx, "POST", QR .. "qr-mpm-generate", { partnerReferenceNo = op.reference,
    amount = snap.money(op.input.amount), merchantId = ctx.config.merchant_id, terminalId = ctx.config.terminal_id, validityPeriod = snap.timestamp(ends),
    additionalInfo = { postalCode = ctx.config.postal_code, feeType = "1" } })
  if decision then return decision end
  if http ~= 200 then return unclear(op, body, http, code, function(o) return (qr_ask(ctx, o, o.reference)) end) end
  if type(body.qrContent) ~= "string" then return unknown { message = "no code to show" } end
  if body.partnerReferenceNo ~= nil and body.partnerReferenceNo ~= op.reference then return wrong "payment" end
  return pending { qr_string = body.qrContent, expires_at = ends, data = { reference_no = body.referenceNo } }
end

local function kind_of(decision, body)
  local word = body and snap.word(body.latestTransactionStatus)
  return word == "refunded" and "success" or word, decision
end

local function qr_inquire_cancel(ctx, op)
  local decision, body = qr_ask(ctx, op, target(op))
  local kind = kind_of(decision, body)
  return cancelled_by(decision, kind)
end

local function qr_about(ctx, op, more)
  local attempt = ctx.find { reference = target(op) }
  more.originalPartnerReferenceNo, more.merchantId = target(op), ctx.config.merchant_id
  more.originalReferenceNo = attempt and attempt.data and attempt.data.reference_no
  return more
end

local function qr_cancel(ctx, op)
  local decision, _, http = talk.effect(ctx, "POST", QR .. "qr-mpm-cancel", qr_about(ctx, op, { reason = "cancelled by the merchant" }))
  if decision then return decision end
  return http == 200 and success {} or qr_inquire_cancel(ctx, op)
end

-- The query names no refund; only a whole one shows in the payment's own status.
local function qr_inquire_refund(ctx, op)
  local _, body = qr_ask(ctx, op, target(op))
  local whole = body and snap.word(body.latestTransactionStatus) == "refunded" and snap.amount(body.amount) == op.input.amount
  return whole and success {} or unknown { message = "DOKU cannot be asked about a part of a QRIS payment that went back" }
end

local function qr_refund(ctx, op)
  local decision, body, http, _, code = talk.effect(ctx, "POST", QR .. "qr-mpm-refund",
    qr_about(ctx, op, { partnerRefundNo = op.reference, refundAmount = snap.money(op.input.amount), reason = op.input.reason }))
  if decision then return decision end
  return refund_answer(op, body, http, code, function() return qr_inquire_refund(ctx, op) end)
end

---- non-SNAP: orders ----

local function whole(value)
  local n = value ~= nil and money.parse(tostring(value), "IDR")
  return n and n > 0 and n <= 1000000000000000 and n or nil
end
doku.whole = whole

-- What an order came to: decision, body. `once`: it is one attempt of the payer, so FAILED is the end of
-- it. `used`: we were told that the invoice was used before, so it may be somebody else's.
local function order_ask(ctx, op, reference, spec, used)
  local body, status = talk.get(ctx, "/orders/v1/status/" .. form.escape(reference))
  if not body then return unknown { message = tostring(status) } end
  if status == 404 then return missing(op, "DOKU does not know the invoice"), nil, true end
  local order, t = body.order, body.transaction
  if status ~= 200 or type(order) ~= "table" or type(t) ~= "table" then return unknown { message = "DOKU said HTTP " .. status } end
  if order.invoice_number ~= reference then return wrong "order" end
  local amount = whole(order.amount)
  if op.kind == "create" and t.original_request_id ~= op.id and (used or t.status ~= "SUCCESS" and amount ~= op.input.amount) then
    return failed { category = "DUPLICATE_TRANSACTION", message = "this invoice belongs to another payment at DOKU", final = true }
  end
  if t.status == "SUCCESS" or t.status == "REFUNDED" then return decide("success", amount, notify.at(t.date), t, t.status), body end
  if t.status == "FAILED" and spec.once then return notify.failure(body), body end
  if t.status == "EXPIRED" then return expired {}, body end
  if t.status == "TIMEOUT" then return processing {}, body end
  if t.status == "PENDING" or t.status == "REDIRECT" or t.status == "FAILED" then
    return spec.once and processing {} or pending {}, body
  end
  return unknown { message = "transaction.status " .. tostring(t.status) }, body
end

-- The invoice is told by Request-Id as well: it is the operation's own, so that DOKU refuses a second one.
local function order_create(ctx, op, spec)
  local ends = ends_at(ctx, op, spec)
  local what = spec.order(ctx, op, ends)
  what.additional_info = { override_notification_url = ctx.url "/callbacks/doku" }
  local decision, body, status, code, message = talk.plain_effect(ctx, spec.path, what, op.id, spec.wait)
  if decision then return decision end
  if status < 400 then return spec.shown(body, op, ends) end
  -- This request made nothing, but the invoice may be ours from before.
  local found, _, none = order_ask(ctx, op, op.reference, spec, true)
  if not none then return found end
  if talk.twin(status, code, message) then return unknown { message = "DOKU has heard this request before", code = code } end
  return failed { category = "INVALID_REQUEST", code = code, message = message, final = true }
end

local function inquire_with(by_kind, create)
  return function(ctx, op, spec)
    if by_kind[op.kind] then return by_kind[op.kind](ctx, op, spec) end
    return create(ctx, op, spec)
  end
end

---- channels ----

local function channel(spec, parts)
  local config = {}
  for name, key in pairs(talk.CONFIG) do config[name] = key end
  for name, key in pairs(parts.config or {}) do config[name] = key end
  local function with(f) return f and function(ctx, op) return f(ctx, op, spec) end or nil end
  return {
    api = 1, title = spec.title, provider = "doku", method = spec.method, bank = spec.bank, effect = spec.effect or "offer",
    limits = spec.limits, expires = spec.expires, hosts = talk.HOSTS, config = config, input = spec.input, timeout = spec.timeout,
    poll = spec.poll or { first = "15m", factor = 2, max = "6h" }, lookup = "ours", amounts = "closed",
    create = with(parts.create), inquire = with(parts.inquire), cancel = with(parts.cancel), refund = with(parts.refund),
    notify = notify.hear, routes = notify.ROUTES,
    docs = { keys = {
      DOKU_CLIENT_ID = "DOKU's dashboard, Integration", DOKU_SECRET_KEY = "the same page",
      DOKU_PUBLIC_KEY = "the same page: what DOKU signs with", DOKU_PRIVATE_KEY = "our own RSA key; its public half is given to DOKU there",
    }, certainty = spec.certainty, expiry = spec.fixed and "fixed" or nil, callbacks = spec.silent and "none" or nil,
      refunds_asked = spec.asked },
  }
end

function doku.va(spec)
  spec.method = "virtual_account"
  spec.limits = spec.limits or { min = 10000, max = 50000000 } -- BCA's; DOKU publishes none for the others
  spec.expires = spec.expires or { default = "24h", max = "30d", grace = "15m" }
  spec.certainty = spec.certainty or "DOKU's client library; limits, the longest life and the words of the status answer are not certain"
  return channel(spec, {
    config = { service_id = "DOKU_" .. spec.bank:upper() .. "_SERVICE_ID" },
    create = va_create, cancel = va_cancel,
    inquire = inquire_with({ cancel = va_inquire_cancel }, function(ctx, op) return select(2, va_ask(ctx, op, spec, op.reference)) end),
  })
end

function doku.wallet(spec)
  spec.method, spec.poll = "ewallet", { first = "2m", factor = 2, max = "30m" }
  spec.input = {
    ip_address = { type = "string", doc = "the payer's address; DOKU's own client always sends it" },
  }
  return channel(spec, { create = wallet_create, refund = debit_refund,
    inquire = inquire_with({ refund = debit_inquire_refund }, function(ctx, op) return (debit_ask(ctx, op, op.reference)) end) })
end

function doku.qris(spec)
  spec.asked = "whole"
  spec.method, spec.poll = "qris", { first = "2m", factor = 2, max = "30m" }
  return channel(spec, {
    config = { merchant_id = "DOKU_QRIS_MERCHANT_ID", terminal_id = "DOKU_QRIS_TERMINAL_ID", postal_code = "DOKU_QRIS_POSTAL_CODE" },
    create = qr_create, cancel = qr_cancel, refund = qr_refund,
    inquire = inquire_with({ cancel = qr_inquire_cancel, refund = qr_inquire_refund },
      function(ctx, op) return (qr_ask(ctx, op, op.reference)) end) })
end

function doku.order(spec)
  return channel(spec, { create = order_create, refund = spec.refund,
    inquire = inquire_with({ refund = spec.inquire_refund }, function(ctx, op) return (order_ask(ctx, op, op.reference, spec)) end) })
end

doku.order_ask, doku.target, doku.talk, doku.failure = order_ask, target, talk, notify.failure

return doku
