-- scripts/lib/sandbox_midtrans_books.lua: the books of Midtrans' simulator, and a transaction as outsiders see
-- it. Books: "tx ID" one transaction each, "order ID" -> its newest transaction, "ref X" -> what a person may
-- also name it by (number, code, payment).
local simulator = require "simulator"
local table_or = require("sandbox_midtrans").table_or
local books = {}

books.MERCHANT = "G812785002"
books.FREE = { cancel = true, expire = true, deny = true, failure = true } -- the order id may be used again

local function rupiah(amount) return money.format(amount, "IDR", 2) end
local function wib(ms) return time.format(ms, "%Y-%m-%d %H:%M:%S", "WIB") end

---- records ----

local function order_key(account, id) return "order " .. (account == "" and "" or account .. " ") .. id end

-- By order id or transaction id, in the books of that account.
local function find(ctx, id, account)
  local pointer = ctx.store.get(order_key(account or "", id))
  local tx = simulator.read(ctx, "tx " .. (pointer or id))
  if tx and account and (tx.account or "") ~= account then return nil end
  return tx
end

-- By any name that a person may say.
local function named(ctx, ref) return find(ctx, ctx.store.get("ref " .. ref) or ref) end

-- change(tx) alters it and returns true, or says no. The transaction, and whether it was altered.
local function change(ctx, id, alter) return simulator.change(ctx, "tx " .. id, alter) end

-- A change that Midtrans tells of after `ms`, whenever we die: what it owes us to hear stands in the
-- books with the change itself, and the job that looks for it was on disk before.
local function change_and_tell(ctx, id, ms, alter)
  simulator.later("midtrans", ctx.now() + ms, "tell", { id = id })
  return change(ctx, id, function(tx)
    if not alter(tx) then return false end
    tx.owes = tx.status
    return true
  end)
end

local function facts_of(tx)
  return { order_id = tx.order_id, transaction_id = tx.transaction_id, payment_id = tx.custom_field1 }
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
    transaction_id = tx.transaction_id, order_id = tx.order_id, merchant_id = books.MERCHANT, gross_amount = gross(tx), currency = "IDR",
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

---- signatures ----

local function key_of(ctx, tx)
  if (tx.account or "") == "" then return ctx.config.server_key end
  return table_or(ctx.accounts()[tx.account]).MIDTRANS_SERVER_KEY
end

local function signature(ctx, tx, code, amount)
  return crypto.sha512({ tx.order_id, code, amount, key_of(ctx, tx) }, "hex")
end

books.rupiah, books.wib, books.order_key, books.find, books.named, books.facts_of = rupiah, wib, order_key, find, named, facts_of
books.change, books.change_and_tell = change, change_and_tell
books.gross, books.seen_status, books.actions, books.view, books.signature = gross, seen_status, actions, view, signature

return books
