-- scripts/lib/sandbox_midtrans_charge.lua: a charge at Midtrans' simulator: its number, code, QR or page, and what
-- the bank says to a card.
local simulator = require "simulator"
local rules = require "sandbox_midtrans"
local answers = require "sandbox_midtrans_answers"
local books = require "sandbox_midtrans_books"
local cards = require "sandbox_midtrans_card"

local TYPES, table_or = rules.TYPES, rules.table_or
local refuse, invalid, answer = answers.refuse, answers.invalid, answers.answer
local order_key, seen_status, actions = books.order_key, books.seen_status, books.actions
local charges = {}

-- The bank's word about a card: captured, reserved for a capture later, or denied.
local function bank_says(ctx, tx, amount)
  for name, value in pairs(cards.outcome(tx.card, amount)) do tx[name] = value end
  if tx.status == "capture" and tx.authorize then tx.status, tx.expires_at = "authorize", ctx.now() + 8 * 86400000 end
  tx.paid = tx.status == "capture" and amount or nil
end

-- What was captured settles at the end of the day.
local function settles_today(ctx, tx)
  local at = time.day_start(time.add_days(time.day(ctx.now(), "WIB"), 1), "WIB")
  simulator.later("midtrans", at, "settle_card", { id = tx.transaction_id })
end

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

function charges.make(ctx, request, want, account) -- no account: from a Snap page, which is of the shared one
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
  if before and not books.FREE[seen_status(ctx, before)] then
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
      if tx.status == "capture" then settles_today(ctx, tx) end
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
    tx.qr_string, tx.acquirer = simulator.qr({ "COM.GO-JEK.WWW", "936009143000000017", books.MERCHANT }, tx.amount, n), tx.payment_type == "qris" and (table_or(want.qris).acquirer or "gopay") or nil
    more = { actions = actions(tx), qr_string = tx.payment_type == "qris" and tx.qr_string or nil }
    if tx.payment_type == "gopay" and table_or(want.gopay).enable_callback then tx.back = want.gopay.callback_url end
  end
  simulator.later("midtrans", tx.expires_at, "expire", { id = tx.transaction_id })
  ctx.store.put("tx " .. tx.transaction_id, json.encode(tx))
  if not ctx.store.cas(order_key(account, order), tx.transaction_id, version) then return refuse "406" end
  for _, ref in ipairs { tx.va_number or tx.bill_key or tx.payment_code or false, tx.custom_field1 or false, tx.custom_field2 or false } do
    if ref then ctx.store.put("ref " .. ref, tx.transaction_id) end
  end
  local message = tx.bank == "permata" and "Success, PERMATA VA transaction is successful" or TYPES[tx.payment_type].says
  return answer(ctx, tx, (tx.status == "capture" or tx.status == "authorize") and "200" or tx.status == "deny" and "202" or "201", message, more)
end

charges.bank_says, charges.settles_today, charges.urls = bank_says, settles_today, urls

return charges
