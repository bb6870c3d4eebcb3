-- scripts/lib/sandbox_doku_snap.lua: DOKU's SNAP calls at its simulator: virtual accounts, wallets, QRIS. Each is
-- run(ctx, body, order, request, caller), behind the door that scripts/sandbox/doku.lua keeps.
local simulator = require "simulator"
local rules = require "sandbox_doku"
local books = require "sandbox_doku_books"
local payer = require "sandbox_doku_payer"
local wallet = require "sandbox_doku_binding"

local say, field, format, text, table_or = rules.say, rules.field, rules.format, rules.text, rules.table_or
local DAY, change, seen, open, wib = books.DAY, books.change, books.seen, books.open, books.wib
local snap = {}

---- virtual accounts ----

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

function snap.va_create(ctx, body, order, _, caller)
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
  local holder = books.known_as(ctx, number)
  if order or holder and seen(ctx, holder) == "PENDING" then return say(409, "27", "01", "Duplicate trxId or virtualAccountNo") end
  local made = open(ctx, caller, body.trxId, { kind = "va", channel = info.channel, amount = amount, expires_at = ends, service = body.partnerServiceId,
    customer = body.customerNo, number = number, name = name, type = body.virtualAccountTrxType,
    email = text(body.virtualAccountEmail, 255), phone = text(body.virtualAccountPhone, 30) })
  if not made then return say(409, "27", "01", "Duplicate trxId or virtualAccountNo") end
  return say(200, "27", "00", "Successful", { virtualAccountData = va_view(made) })
end

function snap.va_update(ctx, body, order)
  local bad = number_wrong("28", body)
  if bad then return bad end
  if not order or order.kind ~= "va" then return say(404, "28", "12", "Bill or Virtual Account Not Found") end
  local amount = body.totalAmount and rules.amount(body.totalAmount) or order.amount
  local ends = body.expiredDate and ends_of(ctx, body.expiredDate) or order.expires_at
  local config = table_or(table_or(body.additionalInfo).virtualAccountConfig)
  local now, done = change(ctx, order.id, function(o)
    if seen(ctx, o) ~= "PENDING" then return false end
    o.amount, o.expires_at = amount, ends
    if config.status == "INACTIVE" then o.status = "CANCELLED" end
    return true
  end)
  if not done then return say(404, "28", "14", "Paid Bill") end
  return say(200, "28", "00", "Successful", { virtualAccountData = va_view(now) })
end

function snap.va_delete(ctx, body, order)
  local bad = number_wrong("31", body)
  if bad then return bad end
  if not order or order.kind ~= "va" or order.status == "CANCELLED" then return say(404, "31", "12", "Bill or Virtual Account Not Found") end
  local now, done = change(ctx, order.id, function(o)
    if o.status ~= "PENDING" then return false end
    o.status = "CANCELLED"
    return true
  end)
  if not done then return say(404, "31", "14", "Paid Bill") end
  return say(200, "31", "00", "Successful", { virtualAccountData = { partnerServiceId = now.service, customerNo = now.customer,
    virtualAccountNo = now.service .. now.customer, trxId = now.ref, additionalInfo = { channel = now.channel, virtualAccountConfig = {} } } })
end

-- As DOKU's client reads it: no flag, a reason in words.
function snap.va_status(ctx, body, _, _, caller)
  local bad = number_wrong("26", body)
  if bad then return bad end
  local order = books.known_as(ctx, (body.virtualAccountNo:gsub("^ +", "")))
  local status = order and seen(ctx, order)
  if not order or status == "CANCELLED" or order.account ~= caller.account then return say(404, "26", "12", "Bill or Virtual Account Not Found") end
  if status == "EXPIRED" then return say(404, "26", "19", "Expired Virtual Account") end
  local reason = order.paid and { english = "Success", indonesia = "Sukses" } or { english = "Pending", indonesia = "Tertunda" }
  return say(200, "26", "00", "Successful", { additionalInfo = { acquirer = order.channel, trxId = order.ref },
    virtualAccountData = { paymentFlagReason = reason, partnerServiceId = order.service, customerNo = order.customer,
      virtualAccountNo = order.service .. order.customer, inquiryRequestId = json.null, paymentRequestId = order.payment_request,
      virtualAccountNumber = order.number, paidAmount = rules.money(order.paid or 0), trxDateTime = order.paid_at and wib(order.paid_at) or nil,
      billDetails = json.array { { billCode = "01", billAmount = rules.money(order.amount) } } } })
end

---- wallets ----

-- Wallets with a page take whoever comes; linked ones need the payer's token, and are paid at once.
local PAGES = { EMONEY_DANA_SNAP = true, EMONEY_SHOPEE_PAY_SNAP = true }

function snap.debit_pay(ctx, body, order, request, caller)
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
  local made = open(ctx, caller, body.partnerReferenceNo, { kind = "debit", channel = info.channel, amount = amount, expires_at = ends, back = text(link, 255) })
  if not made then return say(409, "54", "01", "Duplicate partnerReferenceNo") end
  if not page then payer.paid(ctx, made.id, amount) end
  return say(200, "54", "00", "Successful", { partnerReferenceNo = made.ref, referenceNo = made.reference_no,
    webRedirectUrl = page and ctx.url("/sandbox/doku/page?reference=" .. form.escape(made.id)) or nil })
end

local function refund_rows(order)
  local list = json.array {}
  for i, r in ipairs(order.refunds) do
    list[i] = { refundNo = r.no, partnerReferenceNo = r.key, refundAmount = rules.money(r.amount), refundStatus = "00", refundDate = wib(r.at), reason = r.reason }
  end
  return list
end

local function status_of(ctx, service, order)
  if not order then return say(404, service, "01", "Transaction Not Found") end
  local status = seen(ctx, order)
  if status == "EXPIRED" then return say(403, service, "00", "Transaction Expired") end
  return nil, { originalPartnerReferenceNo = order.ref, originalReferenceNo = order.reference_no, approvalCode = ("%06d"):format(order.n),
    latestTransactionStatus = books.SNAP_WORDS[status], transactionStatusDesc = status, refundHistory = refund_rows(order),
    paidTime = order.paid_at and wib(order.paid_at) or nil }
end

function snap.debit_status(ctx, body, order)
  if body.serviceCode ~= "55" and body.serviceCode ~= "54" then return field("55", "serviceCode") end
  local no, view = status_of(ctx, "55", order)
  if no then return no end
  view.serviceCode, view.transAmount, view.feeAmount = body.serviceCode, rules.money(order.paid or order.amount), rules.money(0)
  view.additionalInfo = { channel = order.channel }
  return say(200, "55", "00", "Successful", view)
end

function snap.refund(service)
  return function(ctx, body, order)
    local key = text(body.partnerRefundNo, 64)
    if not key then return field(service, "partnerRefundNo") end
    local row, now = books.refund(ctx, order, key, rules.amount(body.refundAmount), text(body.reason, 255))
    if not row then return say(now[1], service, now[2], now[3]) end
    return say(200, service, "00", "Successful", { originalPartnerReferenceNo = now.ref, originalReferenceNo = now.reference_no,
      refundNo = row.no, partnerRefundNo = key, refundAmount = rules.money(row.amount), refundTime = wib(row.at) })
  end
end

---- QRIS ----

function snap.qr_generate(ctx, body, order, _, caller)
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
  local made = open(ctx, caller, body.partnerReferenceNo, { kind = "qr", channel = "QRIS", amount = amount, expires_at = ends, terminal = body.terminalId,
    complete = function(o) o.qr = simulator.qr({ "ID.DOKU.WWW", "936008990000001955", body.merchantId }, amount, o.n) end })
  if not made then return say(409, "47", "01", "Duplicate partnerReferenceNo") end
  return say(200, "47", "00", "Successful", { qrContent = made.qr, referenceNo = made.reference_no, partnerReferenceNo = made.ref, terminalId = made.terminal })
end

function snap.qr_query(ctx, body, order)
  if body.serviceCode ~= "47" then return field("51", "serviceCode") end
  local no, view = status_of(ctx, "51", order)
  if no then return no end
  view.refundHistory = nil -- a QRIS query names no refunds
  view.amount = { value = order.paid or order.amount, currency = "IDR" } -- a number here
  return say(200, "51", "00", "Successful", view)
end

function snap.qr_cancel(ctx, _, order)
  if not order then return say(404, "77", "01", "Transaction Not Found") end
  local now, done = change(ctx, order.id, function(o)
    if seen(ctx, o) ~= "PENDING" then return false end
    o.status = "CANCELLED"
    return true
  end)
  if not done then return say(404, "77", "00", "Invalid Transaction Status") end
  return say(200, "77", "00", "Successful", { originalPartnerReferenceNo = now.ref, originalReferenceNo = now.reference_no, cancelTime = wib(ctx.now()) })
end

return snap
