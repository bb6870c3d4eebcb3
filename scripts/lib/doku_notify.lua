-- scripts/lib/doku_notify.lua: what DOKU tells us, in both of its ways:
--   POST /callbacks/doku                         non-SNAP: HMAC-SHA256 over headers, path and the body's digest
--   POST /authorization/v1/access-token/b2b      SNAP: DOKU fetches a token from us (RSA, DOKU's key) ...
--   POST /v1/transfer-va/payment                 ... and tells with it, and HMAC-SHA512, of a paid account
--   POST /v1.0/debit/notify                      ... or of a wallet [this path is from memory]
-- The SNAP paths are heard below /callbacks/doku as well, for who gives DOKU that as our address.
-- Everything is verified before it is read. Who repeats himself is answered as before: the core knows the
-- transfer. DOKU's own answers to virtual accounts carry service 27, where the standard has 25: as DOKU does.
local snap = require "snap"
local told_id = require "told_id"
local talk = require "doku_talk"
local notify = {}

local FRESH_MS = 5 * 60000 -- a SNAP call has a token that lives 15 minutes, so a repeat is signed anew
-- Whether DOKU signs a repeat of the other kind anew is not said; the last comes after 12 hours. A replay
-- of what was true once changes nothing, so the window is wide rather than deaf.
local REPEATED_MS = 13 * 3600000
local TOKEN_S = 900

-- "20230529090510" in WIB, or ISO 8601; nil for anything else.
function notify.at(text)
  if type(text) ~= "string" then return nil end
  local ms = time.parse(text) or time.parse(text, "%Y%m%d%H%M%S", "WIB")
  return ms and ms > 0 and ms or nil
end

local function amount_of(value)
  local n = value ~= nil and money.parse(tostring(value), "IDR")
  return n and n > 0 and n <= 1000000000000000 and n or nil
end

-- response_code of a card or of OVO -> why.
local CODES = {
  ["01"] = "CARD_DECLINED", ["05"] = "CARD_DECLINED", ["14"] = "CARD_DECLINED", ["54"] = "CARD_DECLINED", ["57"] = "CARD_DECLINED",
  ["61"] = "CARD_DECLINED", ["51"] = "INSUFFICIENT_BALANCE", ["55"] = "INVALID_OTP", ["DA"] = "INVALID_OTP", ["04"] = "FRAUD_DETECTED",
  ["07"] = "FRAUD_DETECTED", ["41"] = "FRAUD_DETECTED", ["43"] = "FRAUD_DETECTED", ["RJ"] = "FRAUD_DETECTED", ["13"] = "INVALID_REQUEST",
  ["91"] = "BANK_UNAVAILABLE", ["96"] = "BANK_UNAVAILABLE", ["TO"] = "TIMEOUT",
}
local OVO = { ["13"] = "INVALID_REQUEST", ["14"] = "INVALID_REQUEST", ["17"] = "USER_CANCELLED", ["26"] = "BANK_UNAVAILABLE",
  ["40"] = "BANK_UNAVAILABLE", ["51"] = "INSUFFICIENT_BALANCE", ["56"] = "CARD_DECLINED", ["61"] = "LIMIT_EXCEEDED",
  ["64"] = "FRAUD_DETECTED", ["65"] = "LIMIT_EXCEEDED", ["68"] = "TIMEOUT" }

local function why_of(body)
  local ovo, card = body.ovo_payment, body.card_payment
  if type(ovo) == "table" then return OVO[ovo.response_code] or "PROVIDER_ERROR", ovo.response_code end
  if type(card) == "table" then return CODES[card.response_code] or "CARD_DECLINED", card.response_code end
  return "PROVIDER_ERROR", "FAILED"
end

function notify.failure(body)
  local category, code = why_of(body)
  return failed { category = category, code = code, message = "DOKU: the payment failed", final = true }
end

local function near(ctx, at, back) return at ~= nil and at <= ctx.now() + FRESH_MS and at >= ctx.now() - back end

-- Signed, and yet it says nothing that can be booked: refused, and an operator reads why.
local function unreadable(name, value, body)
  log.error("doku_unreadable", { field = name, value = tostring(value):sub(1, 80) })
  return reply(400, body or { message = { name .. " does not read" } })
end

---- non-SNAP ----

local function verified(ctx, request)
  local h, at = request.headers, notify.at(request.headers["request-timestamp"])
  if h["client-id"] ~= ctx.config.client_id or not h["request-id"] or not near(ctx, at, REPEATED_MS) then return false end
  local given = (h.signature or ""):match "^HMACSHA256=(.+)$"
  local digest, targets = talk.digest(request.body), { request.path }
  if request.query ~= "" then targets[2] = request.path .. "?" .. request.query end -- one of DOKU's plugins signs it too
  targets[#targets + 1] = (ctx.url "/callbacks/doku" or ""):match "^https?://[^/]+(/.*)$" -- behind a proxy that cuts a prefix
  for _, target in ipairs(targets) do
    local component = talk.component(h["client-id"], h["request-id"], h["request-timestamp"], target, digest)
    if crypto.hmac_verify("sha256", ctx.config.secret_key, component, given, "base64") then return true end
  end
  return false
end

local function transfer_id(note) -- of a virtual account only: other orders are paid once
  local payment = note.virtual_account_payment
  for _, pair in ipairs(type(payment) == "table" and type(payment.identifer) == "table" and payment.identifer or {}) do
    if pair.name == "REQUEST_ID" and type(pair.value) == "string" and pair.value ~= "" then return pair.value end
  end
end

local function plain(ctx, request)
  ctx.verify(verified(ctx, request), "the signature does not fit, or is too old")
  local note = json.decode(request.body)
  local order, t = type(note) == "table" and note.order, type(note) == "table" and note.transaction
  if type(order) ~= "table" or not told_id(order.invoice_number) then return unreadable "order.invoice_number" end
  if type(t) ~= "table" then return unreadable "transaction" end
  local verdict, transfer = nil, transfer_id(note)
  if transfer and not told_id(transfer) then return unreadable("virtual_account_payment.identifer", transfer) end
  if t.status == "SUCCESS" then
    local amount = amount_of(order.amount)
    if not amount then return unreadable("order.amount", order.amount) end
    verdict = ctx.settle { reference = order.invoice_number, status = "success", amount = amount, money_id = transfer, paid_at = notify.at(t.date) }
  elseif t.status == "EXPIRED" then
    verdict = ctx.settle { reference = order.invoice_number, status = "expired" }
  elseif t.status == "FAILED" and type(note.channel) == "table" and note.channel.id == "EMONEY_OVO" then
    local category, code = why_of(note)
    verdict = ctx.settle { reference = order.invoice_number, status = "failed", category = category, code = code, message = "DOKU: the payment failed" }
  elseif t.status == "REFUNDED" then
    log.warn("doku_refunded", { order = order.invoice_number }) -- ours are known; another is a person's business
  end -- FAILED of others is one attempt: the invoice may still be paid. The rest is no news.
  if not verdict and not ctx.find { reference = order.invoice_number } then verdict = "not_found" end
  return reply(verdict == "not_found" and 503 or 200, { message = { verdict or "OK" } })
end

---- SNAP: the token that DOKU asks us for ----

local function give_token(ctx, request)
  local h = request.headers
  local at = h["x-timestamp"]
  local right = h["x-client-key"] == ctx.config.client_id and near(ctx, snap.time(at), FRESH_MS)
    and crypto.rsa_verify(ctx.config.doku_key, h["x-client-key"] .. "|" .. at, h["x-signature"])
  local now = snap.timestamp(ctx.now())
  if right ~= true then
    return reply(401, { responseCode = "4017300", responseMessage = "Unauthorized. Invalid Signature" }, { ["X-TIMESTAMP"] = now })
  end
  local token = crypto.jwt_sign { alg = "RS256", key = ctx.config.private_key,
    payload = json.encode { exp = ctx.now() // 1000 + TOKEN_S, clientId = ctx.config.client_id, issuer = "luwak" } }
  return reply(200, { responseCode = "2007300", responseMessage = "Successful", accessToken = token, tokenType = "Bearer",
    expiresIn = TOKEN_S, additionalInfo = "" }, { ["X-TIMESTAMP"] = now, ["X-CLIENT-KEY"] = ctx.config.client_id })
end

local function token_good(ctx, token)
  local text = token and crypto.jwt_verify { alg = "RS256", key = crypto.public_key(ctx.config.private_key), token = token }
  local claims = text and json.decode(text)
  return type(claims) == "table" and claims.clientId == ctx.config.client_id and math.type(claims.exp) == "integer"
    and claims.exp * 1000 > ctx.now()
end

---- SNAP: what is told ----

local function answer(service, http, case, message, more)
  local body = more or {}
  body.responseCode, body.responseMessage = http .. service .. case, message
  return reply(http, body)
end

-- The body of a call that is DOKU's; else nil and the answer to it.
local function hear(ctx, request, service)
  local h = request.headers
  local token = (h.authorization or ""):match "^[Bb]earer (%S+)$"
  if not token_good(ctx, token) then return nil, answer(service, 401, "01", "Invalid Token (B2B)") end
  local path = request.query == "" and request.path or request.path .. "?" .. request.query
  local signed = near(ctx, snap.time(h["x-timestamp"]), FRESH_MS)
    and snap.signed(ctx.config.secret_key, request.method, path, token, request.body, h["x-timestamp"], h["x-signature"])
  if not signed then return nil, answer(service, 401, "00", "Unauthorized. Signature") end
  local body, id = json.decode(request.body), h["x-external-id"]
  if type(body) ~= "table" then return nil, answer(service, 400, "00", "Bad Request") end
  if not id or #id > 100 then return nil, answer(service, 400, "02", "Invalid Mandatory Field {X-EXTERNAL-ID}") end
  local day = time.day(ctx.now(), "WIB")
  local first = ctx.once("external id", day .. " " .. id, "25h")
  local new = ctx.once("external body", day .. " " .. id .. " " .. crypto.sha256(request.body, "hex"), "25h")
  if not first and new then return nil, answer(service, 409, "00", "Conflict") end -- used today for something else
  ctx.verify(true)
  return body
end

local function text_of(value) return type(value) == "string" and value ~= "" and value or nil end

local function va_paid(ctx, request)
  local note, refused = hear(ctx, request, "27")
  if not note then return refused end
  local amount, reference = snap.amount(note.paidAmount), told_id(note.trxId)
  if not reference then return answer("27", 400, "02", "Invalid Mandatory Field {trxId}") end
  if not amount then
    return unreadable("paidAmount", reference, { responseCode = "4002701", responseMessage = "Invalid Field Format {paidAmount}" })
  end
  local transfer = text_of(note.paymentRequestId)
  if transfer and not told_id(transfer) then
    return unreadable("paymentRequestId", transfer, { responseCode = "4002701", responseMessage = "Invalid Field Format {paymentRequestId}" })
  end
  local verdict = ctx.settle { reference = reference, status = "success", amount = amount, money_id = transfer,
    paid_at = snap.time(note.trxDateTime) }
  if verdict == "not_found" then return answer("27", 503, "00", "Not known here yet") end
  return answer("27", 200, "00", "Successful", { virtualAccountData = { partnerServiceId = note.partnerServiceId, customerNo = note.customerNo,
    virtualAccountNo = note.virtualAccountNo, virtualAccountName = note.virtualAccountName, paymentRequestId = note.paymentRequestId,
    trxId = reference, paidAmount = note.paidAmount } })
end

local function debit_told(ctx, request)
  local note, refused = hear(ctx, request, "56")
  if not note then return refused end
  local reference, word = told_id(note.originalPartnerReferenceNo), snap.word(note.latestTransactionStatus)
  if not reference then return answer("56", 400, "02", "Invalid Mandatory Field {originalPartnerReferenceNo}") end
  local verdict
  if word == "success" then
    local amount = snap.amount(note.amount)
    if not amount then return unreadable("amount", reference, { responseCode = "4005601", responseMessage = "Invalid Field Format {amount}" }) end
    verdict = ctx.settle { reference = reference, status = "success", amount = amount, paid_at = snap.time(note.finishedTime) }
  elseif word == "failed" or word == "cancelled" then
    verdict = ctx.settle { reference = reference, status = word, code = note.latestTransactionStatus }
  elseif word == nil then
    log.error("doku_status", { order = reference, status = tostring(note.latestTransactionStatus) })
  end
  if not verdict and not ctx.find { reference = reference } then verdict = "not_found" end
  if verdict == "not_found" then return answer("56", 503, "00", "Not known here yet") end
  return answer("56", 200, "00", "Successful", { approvalCode = text_of(note.originalReferenceNo) })
end

notify.ROUTES = {
  ["POST /authorization/v1/access-token/b2b"] = give_token,
  ["POST /v1/transfer-va/payment"] = va_paid,
  ["POST /v1.0/debit/notify"] = debit_told,
}

function notify.hear(ctx, request)
  local below = request.path:match "^/callbacks/[%w_]+(/.+)$"
  below = below and (below:match "^/mer_%w+(/.+)$" or below) -- of a merchant's own account
  local route = below and notify.ROUTES["POST " .. below]
  if route then return route(ctx, request) end
  return plain(ctx, request)
end

return notify
