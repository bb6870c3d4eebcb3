-- scripts/sandbox/midtrans.lua: Midtrans' Core API v2 as a stand-in: Basic auth, charges of virtual
-- accounts, Mandiri bills, QRIS and GoPay, status, cancel, expire, refund, notifications with
-- Midtrans' own retries (they depend on our answer), and a person who pays (POST _control, or the
-- page). Books: "tx ID" one transaction each, "order ID" -> its newest transaction, "ref X" -> what a
-- person may also name it by.
--
-- Like the real one it answers errors with HTTP 200 and the code in the body; only a wrong key (401)
-- and its own failures (5xx) show in the HTTP status. [uncertain in the reference; clients must read
-- the body.] Not here: the notification of `pending` that follows a charge, and POST after a 307/308.
local simulator = require "simulator"
local rules = require "sandbox_midtrans"
local cards = require "sandbox_midtrans_card"
local snap = require "sandbox_midtrans_snap"

local TYPES, table_or = rules.TYPES, rules.table_or
local MERCHANT = "G812785002"
local LATE_BY = 3600000 -- behind every channel's grace
local FREE = { cancel = true, expire = true, deny = true, failure = true } -- the order id may be used again
local SEEN_CODE = { pending = "201", settlement = "200", deny = "202", expire = "407" }
local TOLD_CODE = { pending = "201", deny = "202", expire = "202", cancel = "202" }
local RETRIES = { [500] = 1, [503] = 4, [400] = 2, [404] = 2, [301] = 0, [302] = 0, [303] = 0 }
local INTERVALS = { 2 * 60000, 10 * 60000, 30 * 60000, 90 * 60000, 210 * 60000 }
local IDEMPOTENT_MS = 5 * 60000
local TELL_MS, LOOK_MS = 1000, 60000 -- when it is told of; when it is looked whether that was done

local sim

local function rupiah(amount) return money.format(amount, "IDR", 2) end
local function wib(ms) return time.format(ms, "%Y-%m-%d %H:%M:%S", "WIB") end

local MESSAGES = {
  ["401"] = "Transaction cannot be authorized with the current client/server key.",
  ["402"] = "Payment channel is not activated.",
  ["404"] = "Transaction doesn't exist.",
  ["406"] = "The request could not be completed due to a conflict with the current state of the target resource, please try again",
  ["411"] = "Token id is missing, invalid, or timed out",
  ["412"] = "Merchant cannot modify the status of the transaction",
  ["413"] = "The request could not be processed due to malformed syntax in the request body.",
  ["414"] = "Refund request is rejected due to invalid amount",
  ["500"] = "Sorry. Our system is recovering from unexpected issues. Please retry.",
  ["503"] = "Bank/partner is experiencing connection issue.",
}
local HTTP = { ["401"] = 401, ["500"] = 500, ["503"] = 503 }

local function refuse(code, message, more)
  local body = more or {}
  body.status_code, body.status_message, body.id = code, message or MESSAGES[code], crypto.uuid()
  return reply(HTTP[code] or 200, body)
end
local function invalid(list)
  return refuse("400", "One or more parameters in the payload is invalid.", { validation_messages = json.array(list) })
end

---- signatures ----

-- Who asks: "" by the configured key, or the name of a merchant's own account, by that one's; nil: nobody.
-- Each has books of its own, as two customers of Midtrans have.
local function authorized(ctx, request)
  local function is(key)
    return crypto.equal(request.headers.authorization or "", crypto.join { "Basic ", crypto.base64 { key, ":" } })
  end
  if is(ctx.config.server_key) then return "" end
  for name, keys in pairs(ctx.accounts()) do
    if keys.MIDTRANS_SERVER_KEY and is(keys.MIDTRANS_SERVER_KEY) then return name end
  end
end

local function key_of(ctx, tx)
  if (tx.account or "") == "" then return ctx.config.server_key end
  return table_or(ctx.accounts()[tx.account]).MIDTRANS_SERVER_KEY
end

local function signature(ctx, tx, code, gross)
  return crypto.sha512({ tx.order_id, code, gross, key_of(ctx, tx) }, "hex")
end

---- the transaction as outsiders see it ----

-- What was paid counts once it is paid: a stand-in for a bank that took another amount.
local function gross(tx) return rupiah(tx.paid or tx.amount) end

local function seen_status(ctx, tx)
  return tx.status == "pending" and ctx.now() >= tx.expires_at and "expire" or tx.status
end

local function refund_rows(tx)
  local rows = json.array {}
  for i, r in ipairs(tx.refunds) do
    rows[i] = { refund_chargeback_id = r.id, refund_amount = rupiah(r.amount), created_at = wib(r.at), reason = r.reason,
      refund_key = r.key, refund_method = "online", bank_confirmed_at = r.confirmed_at and wib(r.confirmed_at) }
  end
  return rows
end

local function actions(tx)
  local list = json.array {}
  local function add(name, method, url) list[#list + 1] = { name = name, method = method, url = url } end
  local app = tx.base .. "/" .. tx.payment_type .. "/app?reference=" .. tx.transaction_id
  if tx.payment_type == "shopeepay" then
    add("deeplink-redirect", "GET", app)
    return list
  end
  add("generate-qr-code", "GET", tx.base .. "/v2/" .. tx.payment_type .. "/" .. tx.transaction_id .. "/qr-code")
  if tx.payment_type == "qris" then
    add("generate-qr-code-v2", "GET", tx.base .. "/v4/qris/" .. tx.transaction_id .. "/qr-code")
    return list
  end
  add("deeplink-redirect", "GET", app)
  add("get-status", "GET", tx.base .. "/v2/" .. tx.transaction_id .. "/status")
  add("cancel", "POST", tx.base .. "/v2/" .. tx.transaction_id .. "/cancel")
  return list
end

local function view(ctx, tx)
  local v = {
    transaction_id = tx.transaction_id, order_id = tx.order_id, merchant_id = MERCHANT, gross_amount = gross(tx), currency = "IDR",
    payment_type = tx.payment_type, transaction_time = wib(tx.made_at), transaction_status = seen_status(ctx, tx),
    fraud_status = tx.fraud_status or "accept", expiry_time = wib(tx.expires_at), settlement_time = tx.settled_at and wib(tx.settled_at),
    custom_field1 = tx.custom_field1, custom_field2 = tx.custom_field2, custom_field3 = tx.custom_field3,
    biller_code = tx.biller_code, bill_key = tx.bill_key, acquirer = tx.acquirer, issuer = tx.settled_at and tx.issuer,
    masked_card = tx.card and tx.card.masked, bank = tx.card and "cimb" or nil, card_type = tx.card and "credit" or nil, eci = tx.eci,
    approval_code = tx.approval_code, channel_response_code = tx.channel_response_code, channel_response_message = tx.channel_response_message,
    store = tx.store, payment_code = tx.payment_code, shopeepay_reference_number = tx.payment_type == "shopeepay" and tx.settled_at and "SP" .. tx.n or nil,
    permata_va_number = tx.bank == "permata" and tx.va_number or nil,
  }
  if tx.store == "indomaret" then v.fraud_status, v.approval_code = nil, tx.settled_at and "IDM" .. tx.n or nil end
  if tx.va_number and tx.bank ~= "permata" then
    v.va_numbers = json.array { { bank = tx.bank, va_number = tx.va_number } }
    v.payment_amounts = json.array {}
    if tx.paid then v.payment_amounts[1] = { paid_at = wib(tx.settled_at), amount = rupiah(tx.paid) } end
  end
  if tx.payment_type == "qris" and tx.settled_at then v.transaction_type = "off-us" end
  if #tx.refunds > 0 then v.refund_amount, v.refunds = rupiah(tx.refunded), refund_rows(tx) end
  return v
end

local function answer(ctx, tx, code, message, more)
  local v = view(ctx, tx)
  for name, value in pairs(more or {}) do v[name] = value end
  v.status_code, v.status_message = code, message
  return reply(200, v)
end

---- books ----

local function order_key(account, id) return "order " .. (account == "" and "" or account .. " ") .. id end

-- By order id or transaction id, in the books of that account.
local function find(ctx, id, account)
  local pointer = ctx.store.get(order_key(account or "", id))
  local tx = simulator.read(ctx, "tx " .. (pointer or id))
  if tx and account and (tx.account or "") ~= account then return nil end
  return tx
end

-- change(tx) alters it and returns true, or says no. The transaction, and whether it was altered.
local function change(ctx, id, alter)
  local tx
  local done = simulator.update(ctx, "tx " .. id, function(now)
    tx = now
    if tx and alter(tx) then return tx, true end
    return nil, false
  end)
  return tx, done
end

-- A change that Midtrans tells of after `ms`, whenever we die: what it owes us to hear stands in the
-- books with the change itself, and the job that looks for it was on disk before.
local function change_and_tell(ctx, id, ms, alter)
  sim.later(ctx, ctx.now() + ms, "tell", { id = id })
  return change(ctx, id, function(tx)
    if not alter(tx) then return false end
    tx.owes = tx.status
    return true
  end)
end

local function facts_of(tx)
  return { order_id = tx.order_id, transaction_id = tx.transaction_id, payment_id = tx.custom_field1 }
end

---- notifications ----

local function notification(ctx, tx)
  local v = view(ctx, tx)
  v.transaction_status = tx.status
  v.status_code, v.status_message = TOLD_CODE[tx.status] or "200", "midtrans payment notification"
  return v
end

local function notify(ctx, tx)
  local v = notification(ctx, tx)
  local headers = { ["User-Agent"] = "Veritrans", Accept = "application/json", ["Content-Type"] = "application/json" }
  v.signature_key = signature(ctx, tx, v.status_code, v.gross_amount)
  local body, sent = json.encode(v), json.array {}
  local function spoil()
    v.signature_key = crypto.sha512("somebody else", "hex")
    return headers, json.encode(v)
  end
  local function kept() -- this change is told, whatever becomes of us; a later one is not
    change(ctx, tx.transaction_id, function(now)
      if now.owes ~= tx.owes then return false end
      now.owes = nil
      return true
    end)
  end
  for i, url in ipairs(tx.urls) do
    local said = sim.callback(ctx, { url = url, headers = headers, body = body, facts = facts_of(tx), spoil = spoil,
      kept = tx.owes and i == #tx.urls and kept or nil })
    for _, one in ipairs(said) do sent[#sent + 1] = one end
  end
  return sent
end

-- What was not told of yet.
local function tell(ctx, arg)
  local tx = simulator.read(ctx, "tx " .. arg.id)
  if tx and tx.owes then notify(ctx, tx) end
end

---- paying ----

-- The bank's word about a card: captured, reserved for a capture later, or denied.
local function bank_says(ctx, tx, amount)
  for name, value in pairs(cards.outcome(tx.card, amount)) do tx[name] = value end
  if tx.status == "capture" and tx.authorize then tx.status, tx.expires_at = "authorize", ctx.now() + 8 * 86400000 end
  tx.paid = tx.status == "capture" and amount or nil
end

-- What was captured settles at the end of the day.
local function day_end(ctx)
  local at = time.day_start(time.add_days(time.day(ctx.now(), "WIB"), 1), "WIB")
  return at
end

-- Somebody pays: the transaction, what was sent; or nil, status, why.
local function settle(ctx, id, amount, late)
  local at = ctx.now()
  local tx, done = change_and_tell(ctx, id, LOOK_MS, function(tx)
    local open = tx.status == "pending" and (late or at < tx.expires_at) or (late and FREE[tx.status] and not tx.settled_at) -- taken back is over
    if not open then return false end
    if tx.card then -- captured, or denied by the bank
      bank_says(ctx, tx, amount)
      return true
    end
    tx.status, tx.settled_at, tx.paid, tx.issuer = "settlement", at, amount, tx.acquirer and "Bank Simulator"
    return true
  end)
  if not done then return nil, 409, "it is " .. seen_status(ctx, tx) .. " and takes no money" end
  if tx.status == "capture" then sim.later(ctx, day_end(ctx), "settle_card", { id = tx.transaction_id }) end
  return tx, notify(ctx, tx)
end

local function deny(ctx, id)
  local tx, done = change_and_tell(ctx, id, LOOK_MS, function(tx)
    if tx.status ~= "settlement" then return false end
    tx.status = "deny"
    return true
  end)
  return tx, done and notify(ctx, tx) or json.array {}
end

local function paid(ctx, id, amount, late)
  local tx, sent, why = settle(ctx, id, amount, late)
  if not tx then return nil, sent, why end
  local taken_back
  if simulator.denied(ctx, facts_of(tx)) then
    local now, more = deny(ctx, id)
    taken_back = now.status == "deny" or nil
    for _, one in ipairs(more) do sent[#sent + 1] = one end
  end
  return { order_id = tx.order_id, transaction_id = tx.transaction_id, amount = amount, callbacks = sent, taken_back = taken_back }
end

local charge

-- On a Snap page somebody picks the first way that it offers.
local function pick(ctx, ref)
  local made = snap.pick(ctx, ref)
  if not made then return nil end
  local said = charge(ctx, { headers = {}, urls = made.urls }, made.want)
  return said.body.transaction_id and find(ctx, said.body.transaction_id)
end

local function pay(ctx, ref, amount)
  local tx = find(ctx, ctx.store.get("ref " .. ref) or ref) -- the newest that bears it
  if not tx or FREE[seen_status(ctx, tx)] then tx = pick(ctx, ref) or tx end
  if not tx then return nil, 404 end
  local facts = facts_of(tx)
  local late = simulator.late(ctx, facts)
  amount = simulator.amount(ctx, facts, tx.amount, amount)
  if late and tx.status == "pending" and ctx.now() < tx.expires_at then
    sim.later(ctx, tx.expires_at + LATE_BY, "pay", { id = tx.transaction_id, amount = amount })
    return { order_id = tx.order_id, transaction_id = tx.transaction_id, amount = amount, pays_at = wib(tx.expires_at + LATE_BY) }
  end
  return paid(ctx, tx.transaction_id, amount, late)
end

local function rows(ctx)
  local list = {}
  for _, id in ipairs(simulator.recent(ctx)) do
    local tx = simulator.read(ctx, "tx " .. id)
    if tx then
      local status = seen_status(ctx, tx)
      list[#list + 1] = { ref = tx.transaction_id, payable = status == "pending", cells = { tx.order_id, tx.bank or tx.payment_type,
        tx.va_number or tx.bill_key or tx.payment_code or "", gross(tx), status, wib(tx.made_at), wib(tx.expires_at) } }
    end
  end
  return list
end

sim = simulator.new {
  provider = "midtrans", title = "Midtrans simulator", keys = { "transaction_id", "payment_id" },
  columns = { "order", "type", "number", "amount", "status", "made", "expires" },
  rows = rows,
  pay = pay,
  prove = function(ctx, cb) -- over the raw body, as who forwards Midtrans' notifications signs them
    return { ["Content-Type"] = "application/json", ["X-Signature-Key"] = crypto.sha512({ cb.body, ctx.config.server_key }, "hex") }
  end,
  retry = function(status, tried)
    if tried >= (RETRIES[status] or #INTERVALS) then return nil end
    return INTERVALS[tried + 1] - math.random(0, INTERVALS[tried + 1] // 10)
  end,
  take_back = function(ctx, match)
    local id = match.transaction_id or match.order_id or match.payment_id
    local tx = id and find(ctx, ctx.store.get("ref " .. id) or id)
    if not tx or tx.status ~= "settlement" or not simulator.fits(match, facts_of(tx)) then return false end
    deny(ctx, tx.transaction_id)
    return true
  end,
  needs = { pay = { "id", "amount" }, expire = { "id" }, tell = { "id" }, settle_card = { "id" }, refunded = { "id", "key" } },
  later = {
    pay = function(ctx, arg)
      if simulator.read(ctx, "tx " .. arg.id) then paid(ctx, arg.id, arg.amount, true) end
    end,
    expire = function(ctx, arg)
      change(ctx, arg.id, function(tx)
        if tx.status ~= "pending" or ctx.now() < tx.expires_at then return false end
        if ctx.store.get(order_key(tx.account or "", tx.order_id)) ~= arg.id then return false end -- another had the order id first
        tx.status, tx.owes = "expire", "expire"
        return true
      end)
      tell(ctx, arg) -- also where we died behind the change
    end,
    tell = tell,
    settle_card = function(ctx, arg)
      change_and_tell(ctx, arg.id, 0, function(tx)
        if tx.status ~= "capture" then return false end
        tx.status, tx.settled_at = "settlement", ctx.now()
        return true
      end)
      tell(ctx, arg)
    end,
    refunded = function(ctx, arg) -- Midtrans tells twice: at once, and when the bank has confirmed
      local tx, done = change(ctx, arg.id, function(tx)
        for _, r in ipairs(tx.refunds) do
          if r.key == arg.key then
            r.confirmed_at = arg.confirms and ctx.now() or nil
            return true
          end
        end
      end)
      if done then notify(ctx, tx) end
    end,
  },
}

---- charge ----

-- Too long is cut at the end, too short gets zeros in front, one in use becomes another silently.
local function va_number(ctx, bank, wanted, n)
  local prefix, digits = rules.BANKS[bank][1], rules.BANKS[bank][2]
  local own = prefix .. ("%0" .. digits .. "d"):format(n)
  if not wanted then return own end
  wanted = prefix .. ("0"):rep(digits - #wanted) .. wanted:sub(1, digits)
  local holder = simulator.read(ctx, "tx " .. (ctx.store.get("ref " .. wanted) or ""))
  return holder and seen_status(ctx, holder) == "pending" and own or wanted
end

local function urls(request)
  local function list(text, into)
    for url in text:gmatch "[^,%s]+" do
      if #into < 4 then into[#into + 1] = simulator.lasting(url) end
    end
    return into
  end
  local headers = request.headers
  if headers["x-override-notification"] then return list(headers["x-override-notification"], json.array {}) end
  return list(headers["x-append-notification"] or "", json.array { simulator.HOME .. "/callbacks/midtrans" })
end

function charge(ctx, request, want, account) -- no account: from a Snap page, which is of the shared one
  account = account or ""
  local wrong, lasts, from = rules.check(want)
  if #wrong > 0 then return invalid(wrong) end
  local card, order = nil, want.transaction_details.order_id
  if want.payment_type == "credit_card" then
    card = want.card or cards.take(ctx, table_or(want.credit_card).token_id)
    if not card then return refuse "411" end
  end
  local pointer, version = ctx.store.get(order_key(account, order))
  local before = pointer and simulator.read(ctx, "tx " .. pointer)
  if before and not FREE[seen_status(ctx, before)] then
    local used = before.settled_at and "order_id has been paid and utilized, please use another order ID" or nil
    return refuse("406", used)
  end
  local at = ctx.now()
  local tx = { transaction_id = crypto.uuid(), order_id = order, payment_type = want.payment_type, status = "pending",
    amount = want.transaction_details.gross_amount, made_at = at, expires_at = (from or at) + lasts, refunded = 0,
    refunds = json.array {}, urls = request.urls or urls(request), card = card, custom_field1 = want.custom_field1, custom_field2 = want.custom_field2,
    custom_field3 = want.custom_field3, account = account ~= "" and account or nil }
  tx.base = ctx.url "/sandbox/midtrans" -- where a person's browser finds it, not Midtrans' own host
  local n = simulator.remember(ctx, tx.transaction_id)
  local more = {}
  tx.n = n
  if tx.payment_type == "bank_transfer" then
    tx.bank = want.bank_transfer.bank
    tx.va_number = va_number(ctx, tx.bank, want.bank_transfer.va_number, n)
  elseif tx.payment_type == "echannel" then
    tx.bank, tx.biller_code, tx.bill_key = "mandiri", "70012", want.echannel.bill_key or ("%012d"):format(n)
  elseif card then
    tx.authorize = table_or(want.credit_card).type == "authorize"
    local at_once = table_or(want.credit_card).authentication ~= true and not want.card
    if at_once then
      bank_says(ctx, tx, tx.amount)
      if tx.status == "capture" then
        sim.later(ctx, day_end(ctx), "settle_card", { id = tx.transaction_id })
      end
    else
      more = { redirect_url = tx.base .. "/v2/token/rba/redirect/" .. tx.transaction_id, three_ds_version = "2" }
    end
  elseif tx.payment_type == "cstore" then
    tx.store = want.cstore.store
    tx.payment_code = rules.STORES[tx.store] .. ("%014d"):format(n)
  elseif tx.payment_type == "shopeepay" then
    tx.back = want.shopeepay.callback_url
    more = { actions = actions(tx), channel_response_code = "0", channel_response_message = "success" }
  elseif TYPES[tx.payment_type].page then
    more = { redirect_url = tx.base .. "/" .. tx.payment_type .. "/app?reference=" .. tx.transaction_id,
      channel_response_code = tx.payment_type == "kredivo" and "OK" or nil }
  else
    tx.qr_string, tx.acquirer = simulator.qr({ "COM.GO-JEK.WWW", "936009143000000017", MERCHANT }, tx.amount, n), tx.payment_type == "qris" and (table_or(want.qris).acquirer or "gopay") or nil
    more = { actions = actions(tx), qr_string = tx.payment_type == "qris" and tx.qr_string or nil }
    if tx.payment_type == "gopay" and table_or(want.gopay).enable_callback then tx.back = want.gopay.callback_url end
  end
  sim.later(ctx, tx.expires_at, "expire", { id = tx.transaction_id })
  ctx.store.put("tx " .. tx.transaction_id, json.encode(tx))
  if not ctx.store.cas(order_key(account, order), tx.transaction_id, version) then return refuse "406" end
  for _, ref in ipairs { tx.va_number or tx.bill_key or tx.payment_code or false, tx.custom_field1 or false, tx.custom_field2 or false } do
    if ref then ctx.store.put("ref " .. ref, tx.transaction_id) end
  end
  local message = tx.bank == "permata" and "Success, PERMATA VA transaction is successful" or TYPES[tx.payment_type].says
  return answer(ctx, tx, (tx.status == "capture" or tx.status == "authorize") and "200" or tx.status == "deny" and "202" or "201", message, more)
end

---- idempotency: only what succeeded is kept, five minutes, over all endpoints ----

local function idempotent(ctx, request, account, skip, run)
  local key = request.headers["idempotency-key"]
  if not key or #key > 46 or skip then return run() end
  key = account .. key
  local at, stored = ctx.now(), nil
  local first = simulator.update(ctx, "key " .. key, function(kept)
    if kept and kept.until_ms > at then
      stored = kept.answer
      return nil, false
    end
    return { until_ms = at + IDEMPOTENT_MS }, true
  end)
  if not first then
    if stored then return reply(200, stored) end
    return reply(202, { status_code = "202", status_message = "The same request is being processed", id = crypto.uuid() })
  end
  local said = run()
  local good = said.status < 300 and (tonumber(said.body.status_code) < 400 or said.body.status_code == "407")
  ctx.store.put("key " .. key, good and json.encode { until_ms = at + IDEMPOTENT_MS, answer = said.body } or nil)
  return said
end

---- the other operations ----

local function broken() return refuse "500" end
local function maintenance() return refuse "503" end

-- One documented path about a transaction: authorized, found, misbehaving when told.
local function about(refused, run)
  return function(ctx, request)
    local account = authorized(ctx, request)
    if not account then return refuse "401" end
    local tx = find(ctx, request.params.id, account)
    if tx and tx.bank == "danamon" and request.params.id ~= tx.transaction_id then tx = nil end -- BI-SNAP: by its own id only
    local what = { facts = tx and facts_of(tx) or { order_id = request.params.id }, effect = refused ~= nil, broken = broken,
      maintenance = maintenance, refused = function() return refused(ctx, tx) end }
    return sim.call(ctx, what, function()
      if not tx then return refuse "404" end
      if request.method == "GET" then return run(ctx, tx, request) end
      return idempotent(ctx, request, account, tx.bank == "permata", function() return run(ctx, tx, request) end)
    end)
  end
end

local function never() return refuse "412" end

-- From pending only: cancel and expire; what was captured can be cancelled until it settles.
local function close(status, code, message)
  return about(never, function(ctx, tx)
    local at = ctx.now()
    local now, done = change_and_tell(ctx, tx.transaction_id, TELL_MS, function(t)
      local held = status == "cancel" and (t.status == "capture" or t.status == "authorize")
      if not held and (t.status ~= "pending" or at >= t.expires_at) then return false end
      t.status = status
      if status == "expire" then t.expires_at = at end
      return true
    end)
    if not done then return refuse "412" end
    return answer(ctx, now, code, message)
  end)
end

local function refund_no(tx, want, at)
  local window = TYPES[tx.payment_type].refund
  if not window or (tx.status ~= "settlement" and tx.status ~= "partial_refund") then return refuse "412" end
  if want.refund_key ~= nil and (type(want.refund_key) ~= "string" or want.refund_key == "" or want.refund_key:find "[^%w%-_]") then
    return invalid { "refund_key may hold letters, digits, - _ only" }
  end
  for _, r in ipairs(tx.refunds) do
    if r.key == want.refund_key then return refuse("406", "Duplicate refund ID") end
  end
  local left = tx.paid - tx.refunded
  local amount = want.amount == nil and left or want.amount
  if math.type(amount) ~= "integer" or amount < 1 or amount > left then return refuse "414" end
  if TYPES[tx.payment_type].whole and amount ~= tx.paid then return refuse "414" end
  if at > tx.settled_at + window then return refuse("414", "Payment Provider doesn't allow refund within this time") end
  return nil, amount
end

local function refund(direct)
  local function refused(ctx, tx)
    if not tx or not direct then return refuse "414" end
    return answer(ctx, tx, "202", "Refund denied by the bank", { refund_amount = "0.00" })
  end
  return about(refused, function(ctx, tx, request)
    local want = request.body == "" and {} or json.decode(request.body)
    if type(want) ~= "table" then return refuse "413" end
    local at, row = ctx.now(), nil
    local no = refund_no(tx, want, at)
    if no then return no end
    local key = want.refund_key or "reference-" .. crypto.uuid()
    sim.later(ctx, at + TELL_MS, "refunded", { id = tx.transaction_id, key = key }) -- before: where we die behind it
    sim.later(ctx, at + LOOK_MS, "refunded", { id = tx.transaction_id, key = key, confirms = true })
    local now, done = change(ctx, tx.transaction_id, function(t)
      local amount
      no, amount = refund_no(t, want, at)
      if no then return false end
      row = { id = math.random(1, 999999), amount = amount, at = at, reason = want.reason, key = key }
      t.refunds[#t.refunds + 1] = row
      t.refunded = t.refunded + amount
      t.status = t.refunded == t.paid and "refund" or "partial_refund"
      return true
    end)
    if not done then return no end
    local message = direct and "Success, refund request is approved by the bank" or "Success, refund request is approved"
    return answer(ctx, now, "200", message, { refund_chargeback_id = row.id, refund_key = key })
  end)
end

local function status(ctx, tx)
  local code = SEEN_CODE[seen_status(ctx, tx)] or "200"
  local said = answer(ctx, tx, code, "Success, transaction is found")
  said.body.signature_key = signature(ctx, tx, code, said.body.gross_amount)
  return said
end

local function image(ctx, request)
  local tx = find(ctx, request.params.id)
  if not tx or not tx.qr_string then return refuse "404" end
  return reply(200, qr.png(tx.qr_string), { ["Content-Type"] = "image/png" })
end

-- The payer's phone, or the page he is sent to.
local function app(ctx, request)
  local tx = find(ctx, request.params.id or (request:args() or {}).reference or "")
  if not tx then return refuse "404" end
  local open = seen_status(ctx, tx) == "pending"
  return sim.page { { ref = tx.transaction_id, payable = open, back = tx.back,
    cells = { tx.order_id, tx.payment_type, "", gross(tx), seen_status(ctx, tx), wib(tx.made_at), wib(tx.expires_at) } } }
end

return {
  api = 1,
  provider = "midtrans",
  title = "Midtrans simulator",
  config = { server_key = secret "MIDTRANS_SERVER_KEY", client_key = "MIDTRANS_CLIENT_KEY" },
  routes = sim.routes {
    ["POST /v2/charge"] = function(ctx, request)
      local account = authorized(ctx, request)
      if not account then return refuse "401" end
      local want = json.decode(request.body)
      if type(want) ~= "table" then return refuse "413" end
      if want.payment_type == "permata" then
        want.payment_type, want.bank_transfer = "bank_transfer", { bank = "permata" }
      end
      if type(want.payment_type) ~= "string" then return invalid { "payment_type is required" } end
      if not TYPES[want.payment_type] then return refuse "402" end
      local what = { facts = { order_id = table_or(want.transaction_details).order_id, payment_id = want.custom_field1 }, effect = true,
        broken = broken, maintenance = maintenance, refused = function() return refuse "402" end }
      function what.known() return type(what.facts.order_id) == "string" and find(ctx, what.facts.order_id, account) end
      return sim.call(ctx, what, function()
        local skip = table_or(want.bank_transfer).bank == "permata"
        return idempotent(ctx, request, account, skip, function() return charge(ctx, request, want, account) end)
      end)
    end,
    ["GET /v2/:id/status"] = about(nil, status),
    ["POST /v2/:id/cancel"] = close("cancel", "200", "Success, transaction is canceled"),
    ["POST /v2/:id/expire"] = close("expire", "407", "Success, transaction has expired"),
    ["POST /v2/:id/approve"] = about(never, never), -- cards under challenge only: none here
    ["POST /v2/:id/deny"] = about(never, never),
    ["POST /v2/:id/refund"] = refund(false),
    ["POST /v2/:id/refund/online/direct"] = refund(true),
    ["GET /v2/qris/:id/qr-code"] = image,
    ["GET /v4/qris/:id/qr-code"] = image,
    ["GET /v2/gopay/:id/qr-code"] = image,
    ["GET /v2/token"] = function(ctx, request)
      local want = request:args() or {}
      if want.client_key ~= ctx.config.client_key then return refuse "401" end
      local wrong, token = cards.token(ctx, want)
      if wrong then return invalid(wrong) end
      return reply(200, { status_code = "200", status_message = "Credit card token is created as Token ID.", token_id = token, hash = token })
    end,
    ["GET /v2/token/rba/redirect/:id"] = app,
    ["GET /v2/card/register"] = function(ctx, request) -- a saved token is one that lasts; nothing of the card is kept
      local want = request:args() or {}
      if want.client_key ~= ctx.config.client_key then return refuse "401" end
      want.card_cvv = want.card_cvv or "123"
      local wrong, token = cards.token(ctx, want)
      if wrong then return invalid(wrong) end
      return reply(200, { status_code = "200", saved_token_id = token, transaction_id = crypto.uuid(), masked_card = token:sub(1, 13) })
    end,
    ["POST /v2/capture"] = function(ctx, request)
      local account = authorized(ctx, request)
      if not account then return refuse "401" end
      local want = table_or(json.decode(request.body))
      local tx = type(want.transaction_id) == "string" and find(ctx, want.transaction_id, account)
      if not tx then return refuse "404" end
      return sim.call(ctx, { facts = facts_of(tx), effect = true, broken = broken, maintenance = maintenance, refused = never }, function()
        local amount = want.gross_amount == nil and tx.amount or want.gross_amount
        if math.type(amount) ~= "integer" or amount < 1 or amount > tx.amount then return refuse "414" end
        local now, done = change_and_tell(ctx, tx.transaction_id, TELL_MS, function(t)
          if t.status ~= "authorize" or ctx.now() >= t.expires_at then return false end
          t.status, t.paid = "capture", amount
          return true
        end)
        if not done then return refuse "412" end
        sim.later(ctx, day_end(ctx), "settle_card", { id = tx.transaction_id })
        return answer(ctx, now, "200", "Success, Credit Card transaction is captured")
      end)
    end,
    ["POST /snap/v1/transactions"] = function(ctx, request)
      if not authorized(ctx, request) then return snap.refuse(401, "Access denied due to unauthorized transaction, please check client or server key") end
      local want = json.decode(request.body)
      if type(want) ~= "table" then return snap.refuse(400, "JSON is not valid") end
      local what = { facts = { order_id = table_or(want.transaction_details).order_id, payment_id = want.custom_field1 }, effect = true,
        broken = function() return snap.refuse(500, MESSAGES["500"]) end, maintenance = function() return snap.refuse(503, MESSAGES["503"]) end,
        refused = function() return snap.refuse(400, "enabled_payments is not activated") end }
      return sim.call(ctx, what, function()
        local used = find(ctx, tostring(what.facts.order_id))
        if used and not FREE[seen_status(ctx, used)] then return snap.refuse(400, "transaction_details.order_id has already been taken") end
        return snap.create(ctx, want, urls(request), ctx.url "/sandbox/midtrans")
      end)
    end,
    ["POST /snap/v1/transactions/:token/cancel"] = function(ctx, request)
      if not authorized(ctx, request) then return snap.refuse(401, "Access denied due to unauthorized transaction, please check client or server key") end
      local made = snap.of_token(ctx, request.params.token)
      local what = { facts = { order_id = made and made.order_id }, effect = true, broken = function() return snap.refuse(500, MESSAGES["500"]) end,
        maintenance = function() return snap.refuse(503, MESSAGES["503"]) end, refused = function() return snap.refuse(400, "Transaction is on progress") end }
      return sim.call(ctx, what, function()
        local tx = made and find(ctx, made.order_id)
        return snap.cancel(ctx, request.params.token, tx and not FREE[seen_status(ctx, tx)])
      end)
    end,
    ["GET /snap/v3/redirection/:token"] = function(ctx, request)
      local made = snap.of_token(ctx, request.params.token)
      if not made then return reply(404, "token not found") end
      local tx = find(ctx, made.order_id)
      local done = tx and tx.paid
      return sim.page { { ref = made.order_id, payable = not done and snap.open(ctx, made), back = made.back,
        cells = { made.order_id, "snap", "", rupiah(made.amount), done and tx.status or "open", wib(made.made_at), wib(made.expires_at) } } }
    end,
    ["POST /snap/decline"] = function(ctx, request) -- the bank says no to a card on a Snap page; the payer may try again
      local want = table_or(json.decode(request.body))
      local tx = type(want.order_id) == "string" and pick(ctx, want.order_id)
      if not tx then return reply(404, "no such page") end
      tx = change_and_tell(ctx, tx.transaction_id, LOOK_MS, function(t)
        t.status, t.channel_response_code, t.channel_response_message = "deny", "05", "Do not honour"
        return true
      end)
      return reply(200, { callbacks = notify(ctx, tx) })
    end,
    ["GET /gopay/app"] = app, ["GET /shopeepay/app"] = app, ["GET /akulaku/app"] = app, ["GET /kredivo/app"] = app, ["GET /cimb_clicks/app"] = app,
  },
  docs = { certainty = "gateways.md of the reference; the HTTP status of errors is the least certain" },
}
