-- scripts/sandbox/doku.lua: DOKU as a stand-in: SNAP (tokens, virtual accounts, wallets, QRIS) and non-SNAP
-- (OVO, card page, Alfamart, status), with every signature checked, its own calls signed, and a person who
-- pays (POST _control, or the page). Books: "order REF" one order each, by the merchant's reference or
-- invoice; "ref X" -> what a person may also name it by.
--
-- DOKU documents no way in which a settled payment is taken back, so `deny_after_settlement` makes no
-- sense here. Of a card nothing is typed: the page has a button. Declining there (POST /page/decline) is
-- one attempt that failed; the invoice may still be paid.
local simulator = require "simulator"
local rules = require "sandbox_doku"
local wallet = require "sandbox_doku_binding"

local say, field, format, text, table_or = rules.say, rules.field, rules.format, rules.text, rules.table_or
local VA, DEBIT, QR = "/virtual-accounts/bi-snap-va/v1.1/transfer-va", "/direct-debit/core/v1/debit", "/snap-adapter/b2b/v1.0/qr"
local DAY = 86400000
local LATE_BY = 3600000 -- behind every channel's grace
local LOOK_MS = 60000
local OVO_MS = 55000 -- how long the payer of a push is waited for
local RETRIES = { 30 * 60000, 6 * 3600000, 12 * 3600000 }
local SNAP_WORDS = { PENDING = "03", SUCCESS = "00", REFUNDED = "04", CANCELLED = "05", FAILED = "06" }
local REFUND_DAYS = { EMONEY_DANA_SNAP = 45, EMONEY_SHOPEE_PAY_SNAP = 365, QRIS = 7, CREDIT_CARD = 180 }

local sim

local function wib(ms) return time.format(ms, "iso", "WIB") end
local function utc(ms) return time.format(ms, "%Y-%m-%dT%H:%M:%SZ", "UTC") end

---- books ----

local function find(ctx, ref)
  if type(ref) ~= "string" or #ref > 150 then return nil end
  return simulator.read(ctx, "order " .. ref)
end

local function change(ctx, ref, alter)
  local order
  local done = simulator.update(ctx, "order " .. ref, function(now)
    order = now
    if order and alter(order) then return order, true end
    return nil, false
  end)
  return order, done
end

local function seen(ctx, order)
  return order.status == "PENDING" and ctx.now() >= order.expires_at and "EXPIRED" or order.status
end

-- A new order; nil where the reference was used.
local function open(ctx, ref, order)
  order.ref, order.status, order.made_at, order.refunded, order.refunds = ref, "PENDING", ctx.now(), 0, json.array {}
  order.n = simulator.remember(ctx, ref)
  order.reference_no = ("%d%012d"):format(20, order.n)
  if order.complete then order.complete(order) end
  order.complete = nil
  if order.number then ctx.store.put("ref " .. order.number, ref) end
  ctx.store.put("ref " .. order.reference_no, ref)
  return ctx.store.cas("order " .. ref, json.encode(order), 0) and order or nil -- last: where we die before, it was never made
end

---- what DOKU tells ----

local function va_note(order)
  return { partnerServiceId = order.service, customerNo = order.customer, virtualAccountNo = order.service .. order.customer,
    virtualAccountName = order.name, trxId = order.ref, paymentRequestId = order.payment_request, paidAmount = rules.money(order.paid),
    trxDateTime = wib(order.paid_at), additionalInfo = { channel = order.channel } }
end

local function debit_note(order)
  return { originalPartnerReferenceNo = order.ref, originalReferenceNo = order.reference_no, originalExternalId = "x-" .. order.n,
    latestTransactionStatus = SNAP_WORDS[order.status], transactionStatusDesc = order.status, amount = rules.money(order.paid or order.amount),
    finishedTime = order.paid_at and wib(order.paid_at),
    additionalInfo = { channelId = order.channel, acquirerId = order.channel:match "^EMONEY_(.-)_SNAP$" or order.channel, accountType = "EMONEY" } }
end

-- The method's own part of an order, in notifications and in status.
local PARTS = {
  CREDIT_CARD = function(order, into)
    into.card_payment = { masked_card_number = "481111******1114", approval_code = order.paid_at and ("%06d"):format(order.n) or nil,
      response_code = order.paid_at and "00" or order.failed and "05", response_message = order.paid_at and "APPROVED" or "DECLINED", issuer = "Bank Simulator" }
    if into.transaction then into.transaction.type = "SALE" end
  end,
  ONLINE_TO_OFFLINE_ALFA = function(order, into) into.online_to_offline_info = { payment_code = order.number } end,
  QRIS = function(order, into) into.emoney_payment = { account_id = "", approval_code = ("%06d"):format(order.n) } end,
  EMONEY_OVO = function(order, into) into.ovo_payment = { status = order.status, response_code = order.paid_at and "00" or order.failed or nil } end,
}
local SERVICES = { CREDIT_CARD = "CREDIT_CARD", ONLINE_TO_OFFLINE_ALFA = "ONLINE_TO_OFFLINE", QRIS = "QRIS", EMONEY_OVO = "EMONEY" }

local function order_note(order, status)
  local note = { service = { id = SERVICES[order.channel] }, acquirer = { id = "SIMULATOR" }, channel = { id = order.channel },
    order = { invoice_number = order.ref, amount = order.paid or order.amount },
    transaction = { status = status or order.status, date = utc(order.paid_at or order.made_at), original_request_id = order.request_id } }
  PARTS[order.channel](order, note)
  return note
end

-- As DOKU prints it for QRIS: an amount with decimals, and no date.
local function qris_text(note)
  note.transaction.date = nil
  return (json.encode(note):gsub('("amount":)(%d+)', "%1%2.00"))
end

-- DOKU asks us for a token, signed with its key, and tells with it.
local function snap_headers(ctx, path, body)
  local at, id = wib(ctx.now()), ctx.config.client_id
  local said = ctx.http.post { url = simulator.HOME .. "/authorization/v1/access-token/b2b", json = { grantType = "client_credentials" }, timeout = "15s",
    headers = { ["X-CLIENT-KEY"] = id, ["X-TIMESTAMP"] = at, ["X-SIGNATURE"] = crypto.rsa_sign(ctx.config.private_key, id .. "|" .. at) } }
  local given = said and said:json()
  local token = type(given) == "table" and given.accessToken
  if not token then return nil, "no token was given: HTTP " .. tostring(said and said.status) end
  return { ["Content-Type"] = "application/json", ["Authorization"] = "Bearer " .. token, ["X-PARTNER-ID"] = id, ["X-TIMESTAMP"] = at,
    ["X-EXTERNAL-ID"] = crypto.uuid(), ["CHANNEL-ID"] = "H2H", ["X-SIGNATURE"] = rules.snap_signature(ctx, "POST", path, token, body, at) }
end

local function sign(ctx, cb)
  local path = cb.url:match "^https?://[^/]+(/.*)$" or "/"
  if cb.scheme == "snap" then return snap_headers(ctx, path, cb.body) end
  return rules.plain_headers(ctx, path, cb.body)
end

local HEARD_AT = { va = "/v1/transfer-va/payment", debit = "/v1.0/debit/notify" }

local function tell(ctx, arg)
  local order = find(ctx, arg.ref)
  if not order or not order.owes then return json.array {} end
  local function kept()
    change(ctx, order.ref, function(now)
      if now.owes ~= order.owes then return false end
      now.owes = nil
      return true
    end)
  end
  if order.channel == "EMONEY_OVO" then -- it answers, and tells nobody
    kept()
    return json.array {}
  end
  local snap = HEARD_AT[order.kind]
  local url = snap and simulator.HOME .. snap or order.url or simulator.HOME .. "/callbacks/doku"
  local body
  if order.kind == "va" then
    body = json.encode(va_note(order))
  elseif order.kind == "debit" then
    body = json.encode(debit_note(order))
  else
    body = order.channel == "QRIS" and qris_text(order_note(order)) or json.encode(order_note(order, order.owes))
  end
  local cb = { url = url, scheme = snap and "snap" or "plain", body = body, facts = { order_id = order.ref }, kept = kept }
  function cb.spoil()
    local headers = sign(ctx, cb) or {}
    local name = snap and "X-SIGNATURE" or "Signature"
    headers[name] = (snap and "" or "HMACSHA256=") .. crypto.hmac("sha512", "somebody else", body, "base64")
    return headers, body
  end
  return sim.callback(ctx, cb)
end

-- What is to be told stands in the books with the change itself; the job that looks was on disk before.
local function change_and_tell(ctx, ref, alter)
  sim.later(ctx, ctx.now() + LOOK_MS, "tell", { ref = ref })
  local order, done = change(ctx, ref, alter)
  return order, done, done and tell(ctx, { ref = ref }) or json.array {}
end

---- paying ----

local function paid(ctx, ref, amount, late)
  local at = ctx.now()
  local order, done, sent = change_and_tell(ctx, ref, function(order)
    if order.status ~= "PENDING" or not (late or at < order.expires_at) then return false end
    order.status, order.paid, order.paid_at, order.failed, order.owes = "SUCCESS", amount, at, nil, "SUCCESS"
    order.payment_request = order.kind == "va" and "pay-" .. order.reference_no or nil
    return true
  end)
  if not done then return nil, 409, "it is " .. seen(ctx, order) .. " and takes no money" end
  return { order_id = ref, amount = amount, callbacks = sent }
end

local function pay(ctx, ref, amount)
  local order = find(ctx, ref) or find(ctx, ctx.store.get("ref " .. ref))
  for n = 1, order and 0 or 50 do -- as simulator.fits does: "inv-1" is also what was made as "inv-1-x7k2"
    local made = simulator.recent(ctx)[n]
    if not made then break end
    if #made == #ref + 5 and made:sub(1, #ref + 1) == ref .. "-" then order = find(ctx, made) break end
  end
  if not order then return nil, 404 end
  local facts = { order_id = order.ref }
  local late = order.channel ~= "EMONEY_OVO" and simulator.late(ctx, facts) -- a push is over with its call
  amount = simulator.amount(ctx, facts, order.amount, amount)
  if late and order.status == "PENDING" and ctx.now() < order.expires_at then
    local at = order.expires_at + LATE_BY
    sim.later(ctx, at, "pay", { ref = order.ref, amount = amount })
    return { order_id = order.ref, amount = amount, pays_at = wib(at) }
  end
  return paid(ctx, order.ref, amount, late)
end

local function rows(ctx)
  local list = {}
  for _, ref in ipairs(simulator.recent(ctx)) do
    local o = find(ctx, ref)
    if o then
      local status = seen(ctx, o)
      list[#list + 1] = { ref = ref, payable = status == "PENDING", cells = { ref, o.channel, o.number or "", o.paid or o.amount, status, wib(o.made_at), wib(o.expires_at) } }
    end
  end
  return list
end

sim = simulator.new {
  provider = "doku", title = "DOKU simulator",
  words = { "late", "duplicate", "reorder", "short", "over", "refused", "timeout_before_debit", "timeout_after_debit", "server_error", "rubbish",
    "slow", "wrong_signature", "maintenance" },
  columns = { "order", "channel", "number", "amount", "status", "made", "expires" },
  rows = rows, pay = pay, sign = sign, prove = sign,
  retry = function(_, tried) return RETRIES[tried + 1] end,
  needs = { pay = { "ref", "amount" }, tell = { "ref" } },
  later = {
    pay = function(ctx, arg)
      if simulator.read(ctx, "order " .. arg.ref) then paid(ctx, arg.ref, arg.amount, true) end
    end,
    tell = tell,
  },
}

---- SNAP calls ----

-- One documented call: who calls, misbehaving when told, what it does. `name` is the field that names the
-- order; `no` is what a refusal says, nil: it changes nothing.
local function snap(service, name, no, run, makes)
  return function(ctx, request)
    local body, refused = rules.snap(ctx, request, service)
    if not body then return refused end
    local order = find(ctx, body[name])
    local what = { facts = { order_id = body[name] }, effect = no ~= nil,
      broken = function() return say(500, service, "00", "General Error") end,
      maintenance = function() return say(503, service, "00", "Under maintenance") end,
      refused = function() return say(no[1], service, no[2], no[3]) end, known = function() return makes and order end }
    return sim.call(ctx, what, function() return run(ctx, body, order, request) end)
  end
end

local DECLINED = { 403, "15", "Transaction Not Permitted" }
local POOR = { 403, "14", "Insufficient Funds" }

local function va_view(order)
  return { partnerServiceId = order.service, customerNo = order.customer, virtualAccountNo = order.service .. order.customer,
    virtualAccountName = order.name, virtualAccountEmail = order.email, virtualAccountPhone = order.phone, trxId = order.ref,
    totalAmount = rules.money(order.amount), virtualAccountTrxType = order.type, expiredDate = wib(order.expires_at),
    additionalInfo = { channel = order.channel, howToPayPage = "https://sandbox.doku.com/how-to-pay/" .. order.number,
      howToPayApi = "https://api-sandbox.doku.com/how-to-pay/" .. order.number } }
end

local function number_wrong(service, body)
  local id, customer = text(body.partnerServiceId, 8), text(body.customerNo, 20)
  if not id or #id ~= 8 or not id:find "^ *%d+$" then return format(service, "partnerServiceId") end
  if not customer or not customer:find "^%d+$" then return format(service, "customerNo") end
  if body.virtualAccountNo ~= id .. customer then return format(service, "virtualAccountNo") end
end

local function ends_of(ctx, given, otherwise)
  if given == nil or given == json.null then return ctx.now() + otherwise end
  local at = type(given) == "string" and time.parse(given)
  return at and at > ctx.now() and at or nil
end

local function va_create(ctx, body, order)
  local bad = number_wrong("27", body)
  if bad then return bad end
  if not text(body.trxId, 64) then return field("27", "trxId") end
  local name = text(body.virtualAccountName, 255)
  if not name or name:find "[^%w.\\%-/+,=_:'@%% ]" then return format("27", "virtualAccountName") end
  local info, amount = table_or(body.additionalInfo), rules.amount(body.totalAmount)
  if not amount then return format("27", "totalAmount.value") end
  if not (text(info.channel, 40) or ""):find "^VIRTUAL_ACCOUNT_" then return field("27", "additionalInfo.channel") end
  if not (text(body.virtualAccountTrxType, 1) or ""):find "^[COVP]$" then return format("27", "virtualAccountTrxType") end
  local ends = ends_of(ctx, body.expiredDate, DAY)
  if not ends then return format("27", "expiredDate") end
  local number = body.virtualAccountNo:gsub("^ +", "")
  local holder = find(ctx, ctx.store.get("ref " .. number))
  if order or holder and seen(ctx, holder) == "PENDING" then return say(409, "27", "01", "Duplicate trxId or virtualAccountNo") end
  local made = open(ctx, body.trxId, { kind = "va", channel = info.channel, amount = amount, expires_at = ends, service = body.partnerServiceId,
    customer = body.customerNo, number = number, name = name, type = body.virtualAccountTrxType,
    email = text(body.virtualAccountEmail, 255), phone = text(body.virtualAccountPhone, 30) })
  if not made then return say(409, "27", "01", "Duplicate trxId or virtualAccountNo") end
  return say(200, "27", "00", "Successful", { virtualAccountData = va_view(made) })
end

local function va_update(ctx, body, order)
  local bad = number_wrong("28", body)
  if bad then return bad end
  if not order or order.kind ~= "va" then return say(404, "28", "12", "Bill or Virtual Account Not Found") end
  local amount = body.totalAmount and rules.amount(body.totalAmount) or order.amount
  local ends = body.expiredDate and ends_of(ctx, body.expiredDate) or order.expires_at
  local config = table_or(table_or(body.additionalInfo).virtualAccountConfig)
  local now, done = change(ctx, order.ref, function(o)
    if seen(ctx, o) ~= "PENDING" then return false end
    o.amount, o.expires_at = amount, ends
    if config.status == "INACTIVE" then o.status = "CANCELLED" end
    return true
  end)
  if not done then return say(404, "28", "14", "Paid Bill") end
  return say(200, "28", "00", "Successful", { virtualAccountData = va_view(now) })
end

local function va_delete(ctx, body, order)
  local bad = number_wrong("31", body)
  if bad then return bad end
  if not order or order.kind ~= "va" or order.status == "CANCELLED" then return say(404, "31", "12", "Bill or Virtual Account Not Found") end
  local now, done = change(ctx, order.ref, function(o)
    if o.status ~= "PENDING" then return false end
    o.status = "CANCELLED"
    return true
  end)
  if not done then return say(404, "31", "14", "Paid Bill") end
  return say(200, "31", "00", "Successful", { virtualAccountData = { partnerServiceId = now.service, customerNo = now.customer,
    virtualAccountNo = now.service .. now.customer, trxId = now.ref, additionalInfo = { channel = now.channel, virtualAccountConfig = {} } } })
end

-- As DOKU's client reads it: no flag, a reason in words.
local function va_status(ctx, body)
  local bad = number_wrong("26", body)
  if bad then return bad end
  local order = find(ctx, ctx.store.get("ref " .. body.virtualAccountNo:gsub("^ +", "")))
  local status = order and seen(ctx, order)
  if not order or status == "CANCELLED" then return say(404, "26", "12", "Bill or Virtual Account Not Found") end
  if status == "EXPIRED" then return say(404, "26", "19", "Expired Virtual Account") end
  local reason = order.paid and { english = "Success", indonesia = "Sukses" } or { english = "Pending", indonesia = "Tertunda" }
  return say(200, "26", "00", "Successful", { additionalInfo = { acquirer = order.channel, trxId = order.ref },
    virtualAccountData = { paymentFlagReason = reason, partnerServiceId = order.service, customerNo = order.customer,
      virtualAccountNo = order.service .. order.customer, inquiryRequestId = json.null, paymentRequestId = order.payment_request,
      virtualAccountNumber = order.number, paidAmount = rules.money(order.paid or 0), trxDateTime = order.paid_at and wib(order.paid_at) or nil,
      billDetails = json.array { { billCode = "01", billAmount = rules.money(order.amount) } } } })
end

-- Wallets with a page take whoever comes; linked ones need the payer's token, and are paid at once.
local PAGES = { EMONEY_DANA_SNAP = true, EMONEY_SHOPEE_PAY_SNAP = true }

local function debit_pay(ctx, body, order, request)
  local info, amount = table_or(body.additionalInfo), rules.amount(body.amount)
  if not text(body.partnerReferenceNo, 64) then return field("54", "partnerReferenceNo") end
  if not amount then return format("54", "amount.value") end
  if not wallet.CHANNELS[info.channel] then return format("54", "additionalInfo.channel") end
  local ip = request.headers["x-ip-address"]
  if ip and (#ip < 10 or #ip > 15) then return format("54", "X-IP-ADDRESS") end
  local page = PAGES[info.channel]
  local device = request.headers["x-device-id"] -- DOKU's own client leaves it out where it has to be
  if device and not text(device, 64) then return format("54", "X-DEVICE-ID") end
  if not page and not wallet.payer(ctx, request) then return say(401, "54", "02", "Invalid Customer Token") end
  local ends = ends_of(ctx, body.validUpTo, DAY)
  if not ends then return format("54", "validUpTo") end
  if order then return say(409, "54", "01", "Duplicate partnerReferenceNo") end
  local link = table_or(table_or(body.urlParam)[1]).url
  local made = open(ctx, body.partnerReferenceNo, { kind = "debit", channel = info.channel, amount = amount, expires_at = ends, back = text(link, 255) })
  if not made then return say(409, "54", "01", "Duplicate partnerReferenceNo") end
  if not page then paid(ctx, made.ref, amount) end
  return say(200, "54", "00", "Successful", { partnerReferenceNo = made.ref, referenceNo = made.reference_no,
    webRedirectUrl = page and ctx.url("/sandbox/doku/page?reference=" .. form.escape(made.ref)) or nil })
end

local function refund_rows(order)
  local list = json.array {}
  for i, r in ipairs(order.refunds) do
    list[i] = { refundNo = r.no, partnerReferenceNo = r.key, refundAmount = rules.money(r.amount), refundStatus = "00", refundDate = wib(r.at), reason = r.reason }
  end
  return list
end

local function snap_status(ctx, service, order)
  if not order then return say(404, service, "01", "Transaction Not Found") end
  local status = seen(ctx, order)
  if status == "EXPIRED" then return say(403, service, "00", "Transaction Expired") end
  return nil, { originalPartnerReferenceNo = order.ref, originalReferenceNo = order.reference_no, approvalCode = ("%06d"):format(order.n),
    latestTransactionStatus = SNAP_WORDS[status], transactionStatusDesc = status, refundHistory = refund_rows(order),
    paidTime = order.paid_at and wib(order.paid_at) or nil }
end

local function debit_status(ctx, body, order)
  if body.serviceCode ~= "55" and body.serviceCode ~= "54" then return field("55", "serviceCode") end
  local no, view = snap_status(ctx, "55", order)
  if no then return no end
  view.serviceCode, view.transAmount, view.feeAmount = body.serviceCode, rules.money(order.paid or order.amount), rules.money(0)
  view.additionalInfo = { channel = order.channel }
  return say(200, "55", "00", "Successful", view)
end

-- The refund, or nil and why not: { HTTP status, case, message }.
local function refund(ctx, order, key, amount, reason)
  if not order or not order.paid then return nil, { 404, "01", "Transaction Not Found" } end
  local row, no
  local now, done = change(ctx, order.ref, function(o)
    for _, r in ipairs(o.refunds) do
      if r.key == key then
        no = { 409, "01", "Duplicate partnerRefundNo" }
        return false
      end
    end
    no = nil
    if not amount or amount > o.paid - o.refunded then no = { 404, "13", "Invalid Amount" } end
    if ctx.now() > o.paid_at + (REFUND_DAYS[o.channel] or 0) * DAY then no = { 403, "15", "Transaction Not Permitted. The refund's time is over" } end
    if no then return false end
    row = { key = key, amount = amount, at = ctx.now(), reason = reason, no = ("RF%s%d"):format(o.reference_no, #o.refunds + 1) }
    o.refunds[#o.refunds + 1] = row
    o.refunded = o.refunded + amount
    if o.refunded == o.paid then o.status = "REFUNDED" end
    return true
  end)
  if not done then return nil, no end
  return row, now
end

local function snap_refund(service)
  return function(ctx, body, order)
    local key = text(body.partnerRefundNo, 64)
    if not key then return field(service, "partnerRefundNo") end
    local row, now = refund(ctx, order, key, rules.amount(body.refundAmount), text(body.reason, 255))
    if not row then return say(now[1], service, now[2], now[3]) end
    return say(200, service, "00", "Successful", { originalPartnerReferenceNo = now.ref, originalReferenceNo = now.reference_no,
      refundNo = row.no, partnerRefundNo = key, refundAmount = rules.money(row.amount), refundTime = wib(row.at) })
  end
end

local function qr_generate(ctx, body, order)
  local amount = rules.amount(body.amount)
  if not text(body.partnerReferenceNo, 64) then return field("47", "partnerReferenceNo") end
  if not text(body.merchantId, 64) then return field("47", "merchantId") end
  if not text(body.terminalId, 16) then return field("47", "terminalId") end
  if not amount or amount > 10000000 then return format("47", "amount.value") end
  local info = table_or(body.additionalInfo)
  if not text(info.postalCode, 5) or not text(info.feeType, 1) then return field("47", "additionalInfo") end
  local ends = ends_of(ctx, body.validityPeriod, 30 * DAY)
  if not ends then return format("47", "validityPeriod") end
  if order then return say(409, "47", "01", "Duplicate partnerReferenceNo") end
  local made = open(ctx, body.partnerReferenceNo, { kind = "qr", channel = "QRIS", amount = amount, expires_at = ends, terminal = body.terminalId,
    complete = function(o) o.qr = simulator.qr({ "ID.DOKU.WWW", "936008990000001955", body.merchantId }, amount, o.n) end })
  if not made then return say(409, "47", "01", "Duplicate partnerReferenceNo") end
  return say(200, "47", "00", "Successful", { qrContent = made.qr, referenceNo = made.reference_no, partnerReferenceNo = made.ref, terminalId = made.terminal })
end

local function qr_query(ctx, body, order)
  if body.serviceCode ~= "47" then return field("51", "serviceCode") end
  local no, view = snap_status(ctx, "51", order)
  if no then return no end
  view.refundHistory = nil -- a QRIS query names no refunds
  view.amount = { value = order.paid or order.amount, currency = "IDR" } -- a number here
  return say(200, "51", "00", "Successful", view)
end

local function qr_cancel(ctx, _, order)
  if not order then return say(404, "77", "01", "Transaction Not Found") end
  local now, done = change(ctx, order.ref, function(o)
    if seen(ctx, o) ~= "PENDING" then return false end
    o.status = "CANCELLED"
    return true
  end)
  if not done then return say(404, "77", "00", "Invalid Transaction Status") end
  return say(200, "77", "00", "Successful", { originalPartnerReferenceNo = now.ref, originalReferenceNo = now.reference_no, cancelTime = wib(ctx.now()) })
end

---- non-SNAP calls ----

local function plain(effect, run, makes)
  return function(ctx, request)
    local refused = rules.plain(ctx, request)
    if refused then return rules.signed(ctx, request, refused) end
    local body = request.method == "GET" and {} or json.decode(request.body)
    if type(body) ~= "table" then return rules.signed(ctx, request, rules.error(400, "invalid_parameter", "Invalid JSON")) end
    local ref = request.params.invoice or table_or(body.order).invoice_number
    local what = { facts = { order_id = ref }, effect = effect, known = function() return makes and find(ctx, ref) end,
      broken = function() return rules.error(500, "internal_server_error", "Internal Server Error") end,
      maintenance = function() return rules.error(503, "maintenance", "Under maintenance") end,
      refused = function() return rules.error(400, "payment_channel_is_inactive", "PAYMENT CHANNEL IS INACTIVE") end }
    return rules.signed(ctx, request, sim.call(ctx, what, function() return run(ctx, body, find(ctx, ref), request) end))
  end
end

local function invalid(message) return rules.error(400, "invalid_parameter", message) end

-- The fields of every order; nil and the refusal.
local function order_of(ctx, body, order, request, channel, lasts)
  local want = table_or(body.order)
  if not text(want.invoice_number, 64) then return nil, invalid "order.invoice_number must be 1 to 64 characters" end
  if math.type(want.amount) ~= "integer" or want.amount < 1 or want.amount > 999999999999 then return nil, invalid "order.amount must be a positive integer" end
  if order then return nil, rules.error(400, "invoice_number_already_used", "INVOICE NUMBER ALREADY USED") end
  local url = text(table_or(body.additional_info).override_notification_url, 500)
  return { kind = "order", channel = channel, amount = want.amount, expires_at = ctx.now() + lasts, request_id = request.headers["request-id"],
    url = url and simulator.lasting(url) or nil, back = text(want.callback_url, 500) }
end

local function used() return rules.error(400, "invoice_number_already_used", "INVOICE NUMBER ALREADY USED") end

local function card_page(ctx, body, order, request)
  local made, no = order_of(ctx, body, order, request, "CREDIT_CARD", DAY // 24) -- as Checkout: 60 minutes
  if not made then return no end
  if table_or(body.payment).type ~= "SALE" then return invalid "payment.type must be SALE here" end
  if body.card ~= nil then return invalid "card is typed on the page" end
  local ref = body.order.invoice_number
  if not open(ctx, ref, made) then return used() end
  return reply(200, { order = { invoice_number = ref, amount = made.amount }, credit_card_js = { session_id = crypto.uuid() },
    credit_card_payment_page = { url = ctx.url("/sandbox/doku/page?reference=" .. form.escape(ref)) } })
end

local function alfa_code(ctx, body, order, request)
  local info = table_or(body.online_to_offline_info)
  if math.type(info.expired_time) ~= "integer" or info.expired_time < 1 or info.expired_time > 43200 then
    return invalid "online_to_offline_info.expired_time must be minutes"
  end
  local made, no = order_of(ctx, body, order, request, "ONLINE_TO_OFFLINE_ALFA", info.expired_time * 60000)
  if not made then return no end
  made.complete = function(o) o.number = ("88888%011d"):format(o.n) end
  local ref = body.order.invoice_number
  if not open(ctx, ref, made) then return used() end
  return reply(200, { order = { invoice_number = ref }, online_to_offline_info = { payment_code = made.number,
    created_date = time.format(made.made_at, "compact", "WIB"), expired_date = time.format(made.expires_at, "compact", "WIB"),
    how_to_pay_page = "https://sandbox.doku.com/how-to-pay/" .. made.number } })
end

-- The call is open until the payer answers.
local function ovo_pay(ctx, body, order, request)
  local made, no = order_of(ctx, body, order, request, "EMONEY_OVO", OVO_MS)
  if not made then return no end
  local ref, phone, client = body.order.invoice_number, text(table_or(body.ovo_info).ovo_id, 15), table_or(body.client).id
  if not phone or not phone:find "^08%d+$" then return invalid "ovo_info.ovo_id must be like 08..." end
  local sum = client == ctx.config.client_id and crypto.sha256({ tostring(made.amount), client, ref, phone, ctx.config.secret_key }, "hex")
  if not sum or not crypto.equal(table_or(body.security).check_sum, sum) then return invalid "security.check_sum does not fit" end
  if not open(ctx, ref, made) then return used() end
  local now = made
  while now.status == "PENDING" and ctx.now() < made.expires_at do
    engine.sleep(200)
    now = find(ctx, ref)
  end
  if now.status == "PENDING" then
    now = change(ctx, ref, function(o)
      if o.status ~= "PENDING" then return false end
      o.status, o.failed = "FAILED", "68"
      return true
    end)
  end
  local status = now.status == "SUCCESS" and "SUCCESS" or "TIMEOUT"
  return reply(200, { client = { id = client }, order = { invoice_number = ref, amount = now.paid or now.amount }, ovo_info = { ovo_id = phone },
    ovo_payment = { date = utc(ctx.now()), status = status, response_code = status == "SUCCESS" and "00" or "68", cash_used = now.paid or 0,
      cash_balance = 0, ovo_points_used = 0, ovo_points_balance = 0, approval_code = now.paid and ("%06d"):format(now.n) or nil } })
end

local function order_status(ctx, _, order)
  if not order then return rules.error(404, "data_not_found", "Invoice number not found") end
  if not PARTS[order.channel] then return rules.error(404, "data_not_found", "Invoice number not found") end -- SNAP has calls of its own
  local status = seen(ctx, order)
  return reply(200, order_note(order, status == "PENDING" and order.failed and "FAILED" or status))
end

local function card_refund(ctx, body, order)
  local payment, want = table_or(body.payment), table_or(body.refund)
  if not order or order.channel ~= "CREDIT_CARD" or payment.original_request_id ~= order.request_id then
    return rules.error(404, "data_not_found", "Transaction not found")
  end
  local amount = math.type(want.amount) == "integer" and want.amount > 0 and want.amount
  local row, now = refund(ctx, order, crypto.uuid(), amount)
  if not row then return rules.error(400, "invalid_refund", now[3]) end
  return reply(200, { order = { invoice_number = now.ref }, payment = { original_request_id = now.request_id },
    refund = { amount = row.amount, type = now.status == "REFUNDED" and "FULL_REFUND" or "PARTIAL_REFUND", status = "SUCCESS", message = "success",
      approval_code = ("%06d"):format(now.n) } })
end

local function page(ctx, request)
  local order = find(ctx, (request:args() or {}).reference)
  if not order then return reply(404, "no such order") end
  local status = seen(ctx, order)
  return sim.page { { ref = order.ref, payable = status == "PENDING", back = order.back,
    cells = { order.ref, order.channel, "", order.amount, status, wib(order.made_at), wib(order.expires_at) } } }
end

local function decline(ctx, request)
  local ref = table_or(json.decode(request.body)).reference
  local order = find(ctx, ref)
  if not order or order.channel ~= "CREDIT_CARD" then return reply(404, "no such order") end
  local _, done, sent = change_and_tell(ctx, ref, function(o)
    if seen(ctx, o) ~= "PENDING" then return false end
    o.failed, o.owes = "05", "FAILED"
    return true
  end)
  return reply(done and 200 or 409, { callbacks = sent })
end

local routes = sim.routes {
  ["POST /authorization/v1/access-token/b2b"] = function(ctx, request) return rules.token(ctx, request, "73") end,
  ["POST /authorization/v1/access-token/b2b2c"] = function(ctx, request) return rules.token(ctx, request, "74") end,
  ["POST " .. VA .. "/create-va"] = snap("27", "trxId", { 400, "01", "Invalid Field Format" }, va_create, true),
  ["PUT " .. VA .. "/update-va"] = snap("28", "trxId", DECLINED, va_update),
  ["DELETE " .. VA .. "/delete-va"] = snap("31", "trxId", DECLINED, va_delete),
  ["POST /orders/v1.0/transfer-va/status"] = snap("26", "trxId", nil, va_status),
  ["POST " .. DEBIT .. "/payment-host-to-host"] = snap("54", "partnerReferenceNo", DECLINED, debit_pay, true),
  ["POST " .. DEBIT .. "/refund"] = snap("58", "originalPartnerReferenceNo", POOR, snap_refund "58"),
  ["POST /orders/v1.0/debit/status"] = snap("55", "originalPartnerReferenceNo", nil, debit_status),
  ["POST " .. QR .. "/qr-mpm-generate"] = snap("47", "partnerReferenceNo", { 400, "01", "Invalid Field Format" }, qr_generate, true),
  ["POST " .. QR .. "/qr-mpm-query"] = snap("51", "originalPartnerReferenceNo", nil, qr_query),
  ["POST " .. QR .. "/qr-mpm-refund"] = snap("78", "originalPartnerReferenceNo", POOR, snap_refund "78"),
  ["POST " .. QR .. "/qr-mpm-cancel"] = snap("77", "originalPartnerReferenceNo", DECLINED, qr_cancel),
  ["POST /credit-card/v1/payment-page"] = plain(true, card_page, true),
  ["POST /cancellation/credit-card/refund"] = plain(true, card_refund),
  ["POST /alfa-online-to-offline/v2/payment-code"] = plain(true, alfa_code, true),
  ["POST /ovo-emoney/v1/payment"] = plain(true, ovo_pay, true),
  ["GET /orders/v1/status/:invoice"] = plain(false, order_status),
  ["GET /page"] = page,
  ["POST /page/decline"] = decline,
}
for path, call in pairs(wallet.CALLS) do routes["POST " .. path] = snap(call[1], "-", nil, call[2]) end

return {
  api = 1,
  provider = "doku",
  title = "DOKU simulator",
  config = { client_id = "DOKU_CLIENT_ID", secret_key = secret "DOKU_SECRET_KEY", private_key = secret "DOKU_PRIVATE_KEY" },
  routes = routes,
  docs = { certainty = "gateways.md of the reference, DOKU's client library; codes of non-SNAP errors are invented, their HTTP status is not" },
}
