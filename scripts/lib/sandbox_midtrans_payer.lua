-- scripts/lib/sandbox_midtrans_payer.lua: somebody pays at Midtrans' simulator, and Midtrans tells of it:
-- notifications with its own retries (they depend on our answer), late, taken back, settled at the day's end.
local simulator = require "simulator"
local books = require "sandbox_midtrans_books"
local charges = require "sandbox_midtrans_charge"
local snap = require "sandbox_midtrans_snap"

local FREE, find, named, change, change_and_tell, facts_of = books.FREE, books.find, books.named, books.change, books.change_and_tell, books.facts_of
local gross, seen_status, wib = books.gross, books.seen_status, books.wib
local TOLD_CODE = { pending = "201", deny = "202", expire = "202", cancel = "202" }
local RETRIES = { [500] = 1, [503] = 4, [400] = 2, [404] = 2, [301] = 0, [302] = 0, [303] = 0 }
local INTERVALS = { 2 * 60000, 10 * 60000, 30 * 60000, 90 * 60000, 210 * 60000 }
local LOOK_MS = 60000 -- when it is looked whether it was told

local sim

---- notifications ----

local function notification(ctx, tx)
  local v = books.view(ctx, tx)
  v.transaction_status = tx.status
  v.status_code, v.status_message = TOLD_CODE[tx.status] or "200", "midtrans payment notification"
  return v
end

local function notify(ctx, tx)
  local v = notification(ctx, tx)
  local headers = { ["User-Agent"] = "Veritrans", Accept = "application/json", ["Content-Type"] = "application/json" }
  v.signature_key = books.signature(ctx, tx, v.status_code, v.gross_amount)
  local body, sent = json.encode(v), json.array {}
  local function spoil()
    v.signature_key = crypto.sha512("somebody else", "hex")
    return headers, json.encode(v)
  end
  local function kept() simulator.told(ctx, "tx " .. tx.transaction_id, tx.owes) end
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

-- Somebody pays: the transaction, what was sent; or nil, status, why.
local function settle(ctx, id, amount, late)
  local at = ctx.now()
  local tx, done = change_and_tell(ctx, id, LOOK_MS, function(tx)
    local open = tx.status == "pending" and (late or at < tx.expires_at) or (late and FREE[tx.status] and not tx.settled_at) -- taken back is over
    if not open then return false end
    if tx.card then -- captured, or denied by the bank
      charges.bank_says(ctx, tx, amount)
      return true
    end
    tx.status, tx.settled_at, tx.paid, tx.issuer = "settlement", at, amount, tx.acquirer and "Bank Simulator"
    return true
  end)
  if not done then return nil, 409, "it is " .. seen_status(ctx, tx) .. " and takes no money" end
  if tx.status == "capture" then charges.settles_today(ctx, tx) end
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

-- On a Snap page somebody picks the first way that it offers.
local function pick(ctx, ref)
  local made = snap.pick(ctx, ref)
  if not made then return nil end
  local said = charges.make(ctx, { headers = {}, urls = made.urls }, made.want)
  return said.body.transaction_id and find(ctx, said.body.transaction_id)
end

local function pay(ctx, ref, amount)
  local tx = named(ctx, ref) -- the newest that bears it
  if not tx or FREE[seen_status(ctx, tx)] then tx = pick(ctx, ref) or tx end
  if not tx then return nil, 404 end
  local facts = facts_of(tx)
  local late = simulator.late(ctx, facts)
  amount = simulator.amount(ctx, facts, tx.amount, amount)
  if late and tx.status == "pending" and ctx.now() < tx.expires_at then
    sim.later(ctx, tx.expires_at + simulator.LATE_BY, "pay", { id = tx.transaction_id, amount = amount })
    return { order_id = tx.order_id, transaction_id = tx.transaction_id, amount = amount, pays_at = wib(tx.expires_at + simulator.LATE_BY) }
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
    local tx = id and named(ctx, id)
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
        if ctx.store.get(books.order_key(tx.account or "", tx.order_id)) ~= arg.id then return false end -- another had the order id first
        tx.status, tx.owes = "expire", "expire"
        return true
      end)
      tell(ctx, arg) -- also where we died behind the change
    end,
    tell = tell,
    settle_card = function(ctx, arg)
      change_and_tell(ctx, arg.id, LOOK_MS, function(tx)
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

return { sim = sim, pick = pick, notify = notify, LOOK_MS = LOOK_MS }
