-- scripts/lib/sandbox_doku_books.lua: the books of DOKU's simulator, and an order as DOKU tells of it. Books:
-- "order ID" one order each: of the configured customer ID is its reference or invoice, of a merchant's own
-- account that name stands before it (rules.id); "ref X" -> what a person may also name it by.
local simulator = require "simulator"
local rules = require "sandbox_doku"

local DAY = 86400000
local REFUND_DAYS = { EMONEY_DANA_SNAP = 45, EMONEY_SHOPEE_PAY_SNAP = 365, QRIS = 7, CREDIT_CARD = 180 }
local books = {}

books.SNAP_WORDS = { PENDING = "03", SUCCESS = "00", REFUNDED = "04", CANCELLED = "05", FAILED = "06" }

local function wib(ms) return time.format(ms, "iso", "WIB") end
local function utc(ms) return time.format(ms, "%Y-%m-%dT%H:%M:%SZ", "UTC") end

---- orders ----

local function find(ctx, id)
  if type(id) ~= "string" or #id > 150 then return nil end
  return simulator.read(ctx, "order " .. id)
end

-- By a number or a reference of DOKU's.
local function known_as(ctx, name) return find(ctx, ctx.store.get("ref " .. name)) end

-- alter(order) changes it and returns true, or says no. The order, and whether it was altered.
local function change(ctx, id, alter) return simulator.change(ctx, "order " .. id, alter) end

local function seen(ctx, order)
  return order.status == "PENDING" and ctx.now() >= order.expires_at and "EXPIRED" or order.status
end

-- A new order of the caller's; nil where the reference was used.
local function open(ctx, caller, ref, order)
  order.id, order.account, order.client_id = rules.id(caller.account, ref), caller.account, caller.client_id
  order.ref, order.status, order.made_at, order.refunded, order.refunds = ref, "PENDING", ctx.now(), 0, json.array {}
  order.n = simulator.remember(ctx, order.id)
  order.reference_no = ("%d%012d"):format(20, order.n)
  if order.complete then order.complete(order) end
  order.complete = nil
  for _, name in ipairs { order.number or false, order.reference_no, order.id ~= ref and ref } do
    if name then ctx.store.put("ref " .. name, order.id) end
  end
  return ctx.store.cas("order " .. order.id, json.encode(order), 0) and order or nil -- last: where we die before, it was never made
end

-- The refund, or nil and why not: { HTTP status, case, message }.
local function refund(ctx, order, key, amount, reason)
  if not order or not order.paid then return nil, { 404, "01", "Transaction Not Found" } end
  local row, no
  local now, done = change(ctx, order.id, function(o)
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

---- an order as DOKU tells of it ----

local function va_note(order)
  return { partnerServiceId = order.service, customerNo = order.customer, virtualAccountNo = order.service .. order.customer,
    virtualAccountName = order.name, trxId = order.ref, paymentRequestId = order.payment_request, paidAmount = rules.money(order.paid),
    trxDateTime = wib(order.paid_at), additionalInfo = { channel = order.channel } }
end

local function debit_note(order)
  return { originalPartnerReferenceNo = order.ref, originalReferenceNo = order.reference_no, originalExternalId = "x-" .. order.n,
    latestTransactionStatus = books.SNAP_WORDS[order.status], transactionStatusDesc = order.status, amount = rules.money(order.paid or order.amount),
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

books.DAY, books.PARTS, books.wib, books.utc = DAY, PARTS, wib, utc
books.find, books.known_as, books.change, books.seen, books.open, books.refund = find, known_as, change, seen, open, refund
books.va_note, books.debit_note, books.order_note = va_note, debit_note, order_note

return books
