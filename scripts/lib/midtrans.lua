-- scripts/lib/midtrans.lua: what all Midtrans channels share: Core API v2, its codes, its
-- notifications. A channel file says what it charges and what the payer is shown.
--
--   local midtrans = require "midtrans"
--   return midtrans.channel { title = ..., method = ..., refunds = true, cards = it may have been paid by card,
--     charge = { payment_type = "qris" }, or a function(ctx, op),
--     shown  = function(transaction) return { qr_string = ... } end,     from a charge's answer
--     image  = "qris" }                  where its QR code is a picture: /v2/qris/{transaction_id}/qr-code
--
-- Traps it is written around: the HTTP status is often 200, so the body's status_code decides; 406
-- means that the order id was used, perhaps by ourselves a moment ago, so we ask; a signature does not
-- cover transaction_status, so everything but plain good news is asked again before it is believed;
-- settlement may turn into deny (the bank took it back); only what has settled can be refunded, so what a
-- card brought today goes back by a cancel, and is told of like anybody's cancel; 404 right after a timeout may only mean "not
-- yet"; messages for people decide nothing.
local told_id = require "told_id"
local midtrans = {}

local HOSTS = { sandbox = "api.sandbox.midtrans.com", staging = "api.sandbox.midtrans.com", production = "api.midtrans.com" }
local CONFIG = { server_key = secret "MIDTRANS_SERVER_KEY" }

-- status_code -> why a charge or refund failed. What is not here is no answer: we ask.
-- 500, 502, 503, 504, 900 may have happened all the same [the reference leaves 503 open].
local FAILURES = {
  ["400"] = "INVALID_REQUEST", ["401"] = "UNAUTHORIZED_AT_PROVIDER", ["402"] = "INVALID_REQUEST", ["403"] = "INVALID_REQUEST",
  ["405"] = "INVALID_REQUEST", ["408"] = "INVALID_REQUEST", ["410"] = "UNAUTHORIZED_AT_PROVIDER", ["411"] = "INVALID_REQUEST",
  ["412"] = "INVALID_REQUEST", ["413"] = "INVALID_REQUEST", ["414"] = "LIMIT_EXCEEDED", ["501"] = "INVALID_REQUEST",
  ["505"] = "BANK_UNAVAILABLE",
}
local OPEN = { sending = true, pending = true, processing = true, unknown = true }

---- talking ----

local function url(ctx, path) return "https://" .. ctx.host() .. path end

local function request(ctx, what)
  what.basic, what.headers = { ctx.config.server_key, "" }, what.headers or {}
  what.headers.Accept = "application/json"
  return what
end

-- The body of an answer and its status_code; nil where there is none. HTTP's status is no code: a
-- proxy between us may have said it, while the charge went on.
local function body_of(answer)
  local body = answer:json()
  if type(body) ~= "table" then body = nil end
  return body, body and body.status_code and tostring(body.status_code)
end

local function said(answer, code)
  return "Midtrans said " .. (code or "nothing") .. " (HTTP " .. answer.status .. ")"
end

local function refused(code, body)
  return failed { category = FAILURES[code], code = code, message = body and body.status_message or nil, final = true }
end

---- what a transaction says ----

local function text_of(value) return type(value) == "string" and value ~= "" and value or nil end

local function at(text)
  local ms = text_of(text) and time.parse(text, "%Y-%m-%d %H:%M:%S", "WIB")
  return ms and ms > 0 and ms or nil
end

-- For lists that may be missing or null.
function midtrans.list(value) return type(value) == "table" and value or {} end

-- Whole rupiah; nil for what is none, so that nobody rounds money.
local function amount_of(t)
  local amount = t.gross_amount and money.parse(tostring(t.gross_amount), "IDR")
  return amount and amount > 0 and amount <= 1000000000000000 and amount or nil
end

-- One word for transaction_status and fraud_status: pending, processing, success, failed, expired,
-- cancelled, reversed; nil for a word we do not know.
local function word_of(t)
  local status, fraud = t.transaction_status, t.fraud_status
  if status == "settlement" or status == "capture" then
    if fraud == nil or fraud == "accept" then return "success" end
    return fraud == "challenge" and "processing" or "failed"
  end
  if status == "refund" or status == "partial_refund" then return "success" end -- it had been paid
  local words = { pending = "pending", authorize = "processing", deny = "failed", failure = "failed", cancel = "cancelled",
    expire = "expired", chargeback = "reversed" }
  return words[status]
end

-- channel_response_code of a card -> why; what is not here was declined.
local CARD_CODES = {
  ["51"] = "INSUFFICIENT_BALANCE", ["61"] = "LIMIT_EXCEEDED", ["65"] = "LIMIT_EXCEEDED", ["38"] = "INVALID_OTP", ["55"] = "INVALID_OTP",
  ["75"] = "INVALID_OTP", ["34"] = "FRAUD_DETECTED", ["59"] = "FRAUD_DETECTED", ["67"] = "FRAUD_DETECTED", ["04"] = "FRAUD_DETECTED",
  ["07"] = "FRAUD_DETECTED", ["35"] = "FRAUD_DETECTED", ["36"] = "FRAUD_DETECTED", ["37"] = "FRAUD_DETECTED", ["41"] = "FRAUD_DETECTED",
  ["43"] = "FRAUD_DETECTED", ["22"] = "BANK_UNAVAILABLE", ["90"] = "BANK_UNAVAILABLE", ["91"] = "BANK_UNAVAILABLE", ["92"] = "BANK_UNAVAILABLE",
  ["96"] = "BANK_UNAVAILABLE", ["68"] = "TIMEOUT", ["94"] = "DUPLICATE_TRANSACTION", ["12"] = "INVALID_REQUEST", ["13"] = "INVALID_REQUEST",
  ["30"] = "INVALID_REQUEST",
}

local function failure_of(t)
  if t.transaction_status == "failure" then return "BANK_UNAVAILABLE" end
  if t.fraud_status == "deny" then return "FRAUD_DETECTED" end
  return t.payment_type == "credit_card" and (CARD_CODES[t.channel_response_code] or "CARD_DECLINED") or "PROVIDER_ERROR"
end

-- Whether the payer is on a page of Midtrans': a card whose token came with the request is not.
local function page_of(op, spec) return spec.page ~= nil and not op.input.token_id end

-- Where its QR code is a picture. A status answer does not say it again, and it is still there.
local function picture(ctx, t, spec, op)
  for _, a in ipairs(midtrans.list(t.actions)) do
    if a.name == "generate-qr-code" and text_of(a.url) then return a.url end
  end
  return op.data and op.data.qr_image_url or url(ctx, "/v2/" .. spec.image .. "/" .. t.transaction_id .. "/qr-code")
end

-- What a card brought was given back before it settled, by whomever.
local function voided(t) return t.transaction_status == "cancel" and t.payment_type == "credit_card" end

-- Which refund of ours that was, kept before it is sent: Midtrans keeps no name of it.
local function void_key(t) return "void " .. tostring(t.transaction_id) end

-- Whether it was one of ours. One that failed was not: who cancelled then gave back money of ours unasked.
local function refunded(ctx, t)
  local reference = voided(t) and ctx.store.get(void_key(t))
  local refund = reference and ctx.find { refund = reference } or nil
  return refund ~= nil and refund.status ~= "failed"
end

-- A transaction as our decision about the charge. On a page of Midtrans' own the payer may try again
-- after a denial, with the same order id, until the page ends.
local function decide(ctx, t, spec, op)
  local word = refunded(ctx, t) and "success" or word_of(t) -- refunded: it had been paid
  if page_of(op, spec) and (word == "failed" or word == "pending") then return pending {} end
  if word == "success" then
    local amount = amount_of(t)
    if not amount then return unknown { message = "gross_amount " .. tostring(t.gross_amount) .. " is no amount" } end
    return success { reference = t.transaction_id, money_id = t.transaction_id, amount = amount, paid_at = at(t.settlement_time) }
  elseif word == "pending" or word == "processing" then
    local facts, image = spec.shown(t, op) or {}, spec.image and picture(ctx, t, spec, op)
    if not next(facts) then facts.qr_image_url = image end
    facts.reference, facts.expires_at = t.transaction_id, at(t.expiry_time)
    facts.data = { transaction_id = t.transaction_id, qr_image_url = image }
    return word == "pending" and pending(facts) or processing(facts)
  elseif word == "failed" or word == "reversed" then
    -- `deny` of a charge may still turn into settlement: the core takes that money all the same
    return failed { category = failure_of(t), code = t.transaction_status, message = t.status_message, final = true }
  elseif word == "cancelled" then
    return cancelled {}
  elseif word == "expired" then
    return expired {}
  end
  return unknown { message = "transaction_status " .. tostring(t.transaction_status) }
end

-- The transaction by our order id or theirs; nil and its status_code, or nil, nil and why.
local function ask(ctx, id, timeout)
  local answer, why = ctx.http.get(request(ctx, { url = url(ctx, "/v2/" .. form.escape(id) .. "/status"), timeout = timeout }))
  if not answer then return nil, nil, why end
  local body, code = body_of(answer)
  if not body or not body.transaction_status then return nil, code, said(answer, code) end
  if body.order_id ~= id and body.transaction_id ~= id then return nil, nil, "Midtrans spoke of another transaction" end
  return body, code
end

---- operations ----

-- Of operations on a payment: what the provider knows the payment by.
local function target(op) return op.input.reference or op.reference end

-- What a transaction is asked for by. BI-SNAP channels (`by_theirs`) are known by Midtrans' own id only;
-- nil where nobody has heard it.
local function id_of(ctx, op, spec)
  if not spec.by_theirs then return target(op) end
  local data = op.kind == "create" and op.data
  if not data then
    local attempt = ctx.find { reference = target(op) }
    data = attempt and attempt.data
  end
  return data and data.transaction_id
end

local function customer(op)
  local c = op.input.customer
  return c and { first_name = c.name, email = c.email, phone = c.phone } or nil
end

-- Whether it bears the id of another payment than ours: made by somebody else at the same account of Midtrans'.
local function anothers(t, payment)
  local mark = text_of(t.custom_field1)
  return mark ~= nil and payment ~= nil and mark ~= payment
end

-- Somebody else's transaction under our order id: of another payment, or, where we were told that the
-- id was used before (`used`), of another amount. Without that the payer may have paid another.
local function foreign(t, op, used)
  if anothers(t, op.payment) then return true end
  local word = word_of(t)
  return (used or word == "pending" or word == "processing") and amount_of(t) ~= op.input.amount
end

local function inquire_create(ctx, op, spec, used)
  local id = id_of(ctx, op, spec)
  -- What nobody was shown nobody can pay; of what was shown we have the id.
  if not id then return not_created { message = "Midtrans cannot be asked, and nobody was shown how to pay" } end
  local t, code, why = ask(ctx, id)
  if not t then
    -- Gone after it was seen, or the wrong key: that proves nothing.
    local seen = op.status == "pending" or op.status == "processing"
    if code == "404" and seen and page_of(op, spec) then return pending {} end -- no way to pay was picked yet
    if code == "404" and not seen then
      return not_created { message = "Midtrans does not know it" }
    end
    return unknown { message = why or code }
  end
  if foreign(t, op, used) then
    return failed { category = "DUPLICATE_TRANSACTION", code = "406", final = true,
      message = "this order id belongs to another payment at Midtrans" }
  end
  return decide(ctx, t, spec, op)
end

-- Where the shop said how long, what is left of that; else only where the order ends before this way usually would,
-- for the payer may have chosen it late. Midtrans takes 20 seconds at least.
local function expiry(ctx, op, spec)
  local left = op.expires_at and op.expires_at - ctx.now() or op.input.expires_in and op.input.expires_in * 1000
  local sooner = left and spec.expires and left + 60000 < time.duration(spec.expires.default)
  return (op.input.expires_in or sooner) and { expiry_duration = math.max(20, left // 1000), unit = "second" } or nil
end

local function create(ctx, op, spec)
  if page_of(op, spec) then return spec.page(ctx, op, spec) end
  local what = {}
  for name, value in pairs(type(spec.charge) == "function" and spec.charge(ctx, op) or spec.charge) do what[name] = value end
  what.transaction_details = { order_id = op.reference, gross_amount = op.input.amount }
  what.customer_details = what.customer_details or customer(op)
  what.custom_field1, what.custom_field2 = op.payment, op.input.order_id
  what.custom_expiry = expiry(ctx, op, spec)
  local answer, why, code, sent = ctx.http.effect(request(ctx, { method = "POST", url = url(ctx, "/v2/charge"), json = what,
    headers = { ["X-Override-Notification"] = ctx.url "/callbacks/midtrans" } }))
  if not answer and sent == false then return not_created { message = why, code = code } end
  if not answer then return unknown { message = why, code = code } end
  local body
  body, code = body_of(answer)
  if code == "406" then return inquire_create(ctx, op, spec, true) end
  if code == "429" or answer.status == 429 then return not_created { message = "Midtrans wants us slower", code = code } end
  if FAILURES[code] then return refused(code, body) end
  if not body or not body.transaction_status then return unknown { message = said(answer, code), code = code } end
  if body.order_id ~= op.reference then return unknown { message = "Midtrans spoke of another order" } end
  return decide(ctx, body, spec, op)
end

-- Whether the payer may have seen how to pay; so it is where that is not known.
local function was_shown(ctx, op)
  local attempt = ctx.find { reference = target(op) }
  if not attempt or attempt.data and attempt.data.transaction_id then return true end
  return attempt.status ~= "sending" and attempt.status ~= "unknown"
end

-- Of a cancel: did it happen?
local function inquire_cancel(ctx, op, spec)
  local id = id_of(ctx, op, spec)
  if not id then return success {} end -- it was never shown
  local t, code, why = ask(ctx, id)
  -- After no answer 404 may only mean "not yet"; but nobody can pay what nobody was shown.
  if code == "404" and not was_shown(ctx, op) then return success {} end
  if not t then return unknown { message = why } end
  local word = word_of(t)
  if word == "pending" then return not_created { message = "it is still open" } end
  if word == "success" then
    return failed { category = "INVALID_REQUEST", code = "412", message = "it is paid", final = true }
  end
  return word and word ~= "processing" and success {} or unknown { message = tostring(t.transaction_status) }
end

local function cancel(ctx, op, spec)
  local id = id_of(ctx, op, spec)
  if not id then return success {} end
  local answer, why, _, sent = ctx.http.effect(request(ctx, { method = "POST", url = url(ctx, "/v2/" .. form.escape(id) .. "/cancel") }))
  if not answer and sent == false then return not_created { message = why } end
  if not answer then return unknown { message = why } end
  local body, code = body_of(answer)
  if code == "200" and body.transaction_status == "cancel" then return success {} end
  if code == "412" or code == "404" then return inquire_cancel(ctx, op, spec) end
  if FAILURES[code] then return refused(code, body) end
  return unknown { message = said(answer, code), code = code }
end

local function refund_key(op) return (op.reference:gsub("[^%w%-_]", "-")) end

local function inquire_refund(ctx, op)
  local t, _, why = ask(ctx, target(op))
  if not t then return unknown { message = why } end
  if voided(t) and ctx.store.get(void_key(t)) == op.reference then return success {} end
  for _, r in ipairs(midtrans.list(t.refunds)) do
    if r.refund_key == refund_key(op) then return success { reference = r.refund_chargeback_id and tostring(r.refund_chargeback_id) } end
  end
  return not_created { message = "Midtrans knows no such refund" } -- the same key again is refused if it was late
end

-- Of what a card brought and has not settled, all of it: Midtrans cancels it. Settled meanwhile: 412, and it is
-- refunded the next time.
local function void(ctx, op, t)
  local kept, no = ctx.store.put(void_key(t), op.reference)
  if not kept then return not_created { message = no } end
  local answer, why, _, sent = ctx.http.effect(request(ctx, { method = "POST", url = url(ctx, "/v2/" .. form.escape(t.transaction_id) .. "/cancel") }))
  if not answer and sent == false then return not_created { message = why } end
  if not answer then return unknown { message = why } end
  local body, code = body_of(answer)
  if code == "200" and voided(body) then return success {} end
  if code == "412" then return inquire_refund(ctx, op) end
  if FAILURES[code] then return refused(code, body) end
  return unknown { message = said(answer, code), code = code }
end

-- "direct" is what GoPay documents; for QRIS the reference names no other path. Cards have it with some
-- acquirers only, so they go the slow way; a part of what has not settled Midtrans refuses, until the day ends.
local function refund(ctx, op, spec)
  local attempt = spec.refunds == "whole" and ctx.find { reference = target(op) }
  if attempt and attempt.amount_due ~= op.input.amount then
    return failed { category = "INVALID_REQUEST", message = "it goes back as a whole only", final = true }
  end
  if spec.cards then
    local t, code, why = ask(ctx, target(op))
    if not t then return not_created { message = why or code } end
    if voided(t) then -- an earlier try came through late, or somebody was there before us
      if ctx.store.get(void_key(t)) == op.reference then return success {} end
      return failed { category = "INVALID_REQUEST", code = "412", message = "it was cancelled at Midtrans", final = true }
    end
    if t.transaction_status == "capture" and text_of(t.transaction_id) and amount_of(t) == op.input.amount then return void(ctx, op, t) end
  end
  local answer, why, _, sent = ctx.http.effect(request(ctx, { method = "POST",
    url = url(ctx, "/v2/" .. form.escape(target(op)) .. (spec.cards and "/refund" or "/refund/online/direct")),
    json = { refund_key = refund_key(op), amount = op.input.amount, reason = op.input.reason } }))
  if not answer and sent == false then return not_created { message = why } end
  if not answer then return unknown { message = why } end
  local body, code = body_of(answer)
  if code == "200" and body.refund_key == refund_key(op) then
    return success { reference = body.refund_chargeback_id and tostring(body.refund_chargeback_id) }
  end
  if code == "406" then return inquire_refund(ctx, op) end
  if code == "202" and body and body.transaction_status then -- the bank said no; 202 without one: a twin is on its way
    return failed { category = "PROVIDER_ERROR", code = code, message = body.status_message, final = true }
  end
  if FAILURES[code] then return refused(code, body) end
  return unknown { message = said(answer, code), code = code }
end

-- Made at Midtrans itself, in its dashboard: nothing of it is booked, for the core takes back only money that came,
-- by its id; so a person has to know. Ours are known by their keys, for the core names them after the attempt.
local function refunded_elsewhere(t)
  local ours = refund_key { reference = t.order_id:sub(1, 40) .. "-r" }
  local list = midtrans.list(t.refunds)
  if not list[1] then list = { { refund_amount = t.refund_amount } } end -- whose it is was not said
  for _, r in ipairs(list) do
    local key = text_of(r.refund_key) or ""
    if key:sub(1, #ours) ~= ours then
      log.error("midtrans_refunded", { order = t.order_id, refund_key = key, amount = tostring(r.refund_amount) })
    end
  end
end

local INQUIRE = { cancel = inquire_cancel, refund = inquire_refund }

---- notifications ----

-- X-Signature-Key over the raw body, where it is given, decides; else signature_key in the body.
local function verified(ctx, req, note)
  local given = req.headers["x-signature-key"]
  if given then return crypto.equal(given:lower(), crypto.sha512({ req.body, ctx.config.server_key }, "hex")) end
  for _, name in ipairs { "order_id", "status_code", "gross_amount", "signature_key" } do
    if type(note[name]) ~= "string" then return false end
  end
  return crypto.equal(note.signature_key:lower(),
    crypto.sha512({ note.order_id, note.status_code, note.gross_amount, ctx.config.server_key }, "hex"))
end

-- A question within a notification is answered in time, or we ask later (ctx.ask): Midtrans waits for us.
local ASKED_WITHIN = "12s"

-- On a page of Midtrans' own: the payer may try again there after a denial.
local function page_token(attempt) return attempt and attempt.data and attempt.data.snap_token end

-- Good news for an open attempt is believed; for all else Midtrans is asked, because notifications
-- come late and out of order and their status is not signed. A page stays open through a denial, so its
-- being open does not say that the money was not taken back before we heard of it. Nil: it could not be asked now.
local function truth(ctx, note, attempt)
  local news = not attempt or OPEN[attempt.status] and not page_token(attempt)
  if news and word_of(note) == "success" and note.status_code == "200" then return note end
  return (ask(ctx, text_of(note.transaction_id) or note.order_id, ASKED_WITHIN))
end

-- Signed, and yet it says nothing that can be booked. Midtrans repeats 5xx for hours and it will say the
-- same; there is no amount to put into suspense; so it is refused, and an operator reads why.
local function unreadable(note, name)
  log.error("midtrans_unreadable", { order = tostring(note.order_id):sub(1, 80), field = name, value = tostring(note[name]):sub(1, 80) })
  return reply(400, { status = name .. " does not read" })
end

-- What moves nothing; of what we do not know we want to be told again.
local function heard(attempt, status) return reply(attempt and 200 or 503, { status = attempt and status or "not_found" }) end

function midtrans.notify(ctx, req)
  local note = json.decode(req.body)
  ctx.verify(type(note) == "table" and verified(ctx, req, note), "signature_key does not fit")
  if not told_id(note.order_id) then return unreadable(note, "order_id") end
  if text_of(note.transaction_id) and not told_id(note.transaction_id) then return unreadable(note, "transaction_id") end
  local told = word_of(note)
  local attempt = ctx.find { reference = note.order_id }
  if told == "pending" or told == "processing" then return heard(attempt, "ok") end -- no news
  local t = truth(ctx, note, attempt)
  if attempt and (anothers(note, attempt.payment) or t and anothers(t, attempt.payment)) then
    log.error("midtrans_not_ours", { order = note.order_id, payment = attempt.payment })
    return reply(503, { status = "another's" })
  end
  if not t or t.order_id ~= note.order_id then
    ctx.ask { reference = note.order_id } -- Midtrans may never say it again
    return reply(503, { status = "try again" })
  end
  if refunded(ctx, t) then return heard(attempt, "refunded by us") end
  local word = word_of(t)
  if word == nil then -- partial_chargeback, or a word that is new: no move of ours fits
    log.error("midtrans_status", { order = t.order_id, status = tostring(t.transaction_status) })
    return heard(attempt, "left to a person")
  end
  if word == "pending" or word == "processing" then return heard(attempt, "ok") end
  if attempt and (t.transaction_status == "refund" or t.transaction_status == "partial_refund") then refunded_elsewhere(t) end
  -- On a page a denial is one try, so nothing ends by it; what waits in suspense, since it was late or not what
  -- is due, goes back with it all the same.
  local page = page_token(attempt)
  local verdict
  if word == "expired" or word == "cancelled" or word == "failed" and not (page and attempt.status ~= "success") then
    verdict = ctx.settle { reference = t.order_id, status = word, category = word == "failed" and failure_of(t) or nil,
      code = t.transaction_status, message = word == "failed" and "Midtrans denied it" or nil }
  end
  -- A deny may come after settlement: the bank took it back; and to cancel a card's capture is to void it.
  -- Where nothing had come, the core refuses the reversal; of a settlement that is heard of later Midtrans is
  -- asked: the attempt is not open any more, or it is a page.
  local denied = (t.transaction_status == "deny" or voided(t)) and verdict ~= "not_found"
  if denied then word = "reversed" end
  if word == "success" or word == "reversed" then
    local amount = amount_of(t)
    if not amount then return unreadable(t, "gross_amount") end
    verdict = ctx.settle { reference = t.order_id, status = word, money_id = text_of(t.transaction_id), amount = amount,
      denial = denied and not (attempt and attempt.status == "success") or nil, -- most denials are of what was never paid
      paid_at = at(t.settlement_time), message = word == "reversed" and (voided(t) and "the capture was cancelled" or "taken back by the bank") or nil }
  end
  return reply(verdict == "not_found" and 503 or 200, { status = verdict or "ok" })
end

---- what is shown ----

-- Of bank_transfer: the number at this bank.
function midtrans.va_number(bank)
  return function(t)
    for _, v in ipairs(midtrans.list(t.va_numbers)) do
      if v.bank == bank then return { va_number = v.va_number } end
    end
  end
end

function midtrans.redirect(t) return { redirect_url = text_of(t.redirect_url) } end

-- One item of the whole amount: Midtrans wants items that add up to it.
function midtrans.items(op)
  local about = op.input.description or op.input.order_id or op.reference
  return json.array { { id = op.reference, name = about:sub(1, 50), price = op.input.amount, quantity = 1 } }
end

-- For midtrans_page.
midtrans.request, midtrans.ask, midtrans.cancel = request, ask, cancel
function midtrans.customer(op) return customer(op) end
function midtrans.used(ctx, op, spec) return inquire_create(ctx, op, spec, true) end

midtrans.DOCS = {
  keys = { MIDTRANS_SERVER_KEY = "dashboard.midtrans.com, Settings, Access Keys" },
  certainty = "publisher's documentation; the longest order id (50) and HTTP statuses of errors are from memory",
}

---- a channel ----

function midtrans.channel(spec)
  local docs = { refunds = spec.refunds == "whole" and "whole" or nil, cancel_asked = spec.page and "never" or nil }
  for name, value in pairs(spec.docs or midtrans.DOCS) do docs[name] = value end
  return {
    api = 1, title = spec.title, provider = "midtrans", method = spec.method, bank = spec.bank, effect = spec.effect or "offer",
    limits = spec.limits, expires = spec.expires, input = spec.input, hosts = spec.hosts or HOSTS, config = CONFIG, poll = spec.poll, lookup = "ours",
    amounts = "closed", docs = docs,
    create = function(ctx, op) return create(ctx, op, spec) end,
    inquire = function(ctx, op) return (INQUIRE[op.kind] or inquire_create)(ctx, op, spec) end,
    cancel = function(ctx, op) return (spec.cancel or cancel)(ctx, op, spec) end,
    refund = spec.refunds and function(ctx, op) return refund(ctx, op, spec) end or nil,
    notify = midtrans.notify,
  }
end

return midtrans
