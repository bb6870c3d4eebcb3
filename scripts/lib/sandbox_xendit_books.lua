-- scripts/lib/sandbox_xendit_books.lua: the books of Xendit's simulator: what was made, who pays it, what is told
-- of it. Books: "tx ID" one record each (sandbox_xendit.lua), "ref X" -> what else it goes by (number, method,
-- newest of an order), "all REFERENCE" -> the ids under one reference, "refund ID" -> its record.
local simulator = require "simulator"
local rules = require "sandbox_xendit"
local products = require "sandbox_xendit_products"

local table_or, utc = rules.table_or, rules.utc
local LOOK_MS = 60000 -- when it is looked whether what was done was told
local INTERVALS = { 15 * 60000, 45 * 60000, 2 * 3600000, 3 * 3600000, 6 * 3600000, 12 * 3600000 }

local books = {}
local sim

---- records ----

local function find(ctx, id) return simulator.read(ctx, "tx " .. (ctx.store.get("ref " .. id) or id)) end

local function of_kind(ctx, id, ...)
  local tx = find(ctx, id)
  for _, kind in ipairs { ... } do
    if tx and tx.kind == kind then return tx end
  end
end

local function seen(ctx, tx)
  return tx.status == "pending" and ctx.now() >= tx.expires_at and "expired" or tx.status
end

-- change(tx) alters it and returns true, or says no. The record, and whether it was altered.
local function change(ctx, id, alter)
  return simulator.change(ctx, "tx " .. id, function(tx)
    if not alter(tx) then return false end
    tx.updated_at = ctx.now()
    return true
  end)
end

local function facts_of(tx)
  return { order_id = tx.reference, payment_id = table_or(tx.metadata).payment, id = tx.id }
end

local function view(ctx, tx)
  local status = seen(ctx, tx)
  if tx.kind == "request" then return rules.request(tx, status) end
  if tx.kind == "method" then return rules.method(tx, status) end
  if tx.kind == "invoice" then return rules.invoice(tx, status) end
  return products[tx.kind].view(tx, status)
end

---- callbacks ----

-- What is owed to be heard: { what = "payment", n = index } and the like, first to last.
local function body_of(ctx, tx, owed)
  local p = owed.n and tx.payments[owed.n]
  if owed.what == "refund" then
    local r = tx.refunds[owed.n]
    if tx.kind == "charge" then return products.charge.event(tx, nil, ctx.now(), "ewallet.refund") end
    return { event = r.status == "SUCCEEDED" and "refund.succeeded" or "refund.failed", business_id = rules.BUSINESS, created = utc(ctx.now()),
      data = rules.refund(tx, r) }
  end
  if tx.kind == "invoice" then return rules.invoice_event(tx) end
  if tx.kind == "request" or tx.kind == "method" then return rules.request_event(tx, owed.what, p, ctx.now()) end
  if owed.what == "awake" then return products.va.awake_event(tx, ctx.now()) end
  return products[tx.kind].event(tx, p, ctx.now(), owed.what == "voided" and "ewallet.void" or nil)
end

local function tell_one(ctx, tx, owed)
  local headers = { ["Content-Type"] = "application/json", ["webhook-id"] = owed.id }
  local body = json.encode(body_of(ctx, tx, owed))
  local function kept() -- this is told, whatever becomes of us; what came later is not
    change(ctx, tx.id, function(now)
      for i, one in ipairs(now.owes) do
        if one.id == owed.id then return table.remove(now.owes, i) ~= nil end
      end
    end)
  end
  local function spoil()
    return { ["Content-Type"] = "application/json", ["webhook-id"] = owed.id, ["x-callback-token"] = "somebody else's" }, body
  end
  return sim.callback(ctx, { url = tx.callback_url or simulator.HOME .. "/callbacks/xendit", headers = headers, body = body,
    facts = facts_of(tx), spoil = spoil, kept = kept })
end

-- What was not told of yet.
local function tell(ctx, arg)
  local tx, sent = simulator.read(ctx, "tx " .. arg.id), json.array {}
  for _, owed in ipairs(tx and tx.owes or {}) do
    for _, one in ipairs(tell_one(ctx, tx, owed)) do sent[#sent + 1] = one end
  end
  return sent
end

-- A change that is told of after `ms`, whenever we die: what is owed stands in the books with the
-- change itself, and the job that looks for it was on disk before.
local function change_and_tell(ctx, id, ms, alter)
  sim.later(ctx, ctx.now() + ms, "tell", { id = id })
  local webhook = crypto.uuid()
  return change(ctx, id, function(tx)
    local what, n = alter(tx)
    if not what then return false end
    tx.owes[#tx.owes + 1] = { what = what, n = n, id = webhook }
    return true
  end)
end

---- paying ----

local SUCCEEDED = { request = "payment.succeeded", method = "payment.succeeded" }
local FAILED = { request = "payment.failed", method = "payment.failed" }

local function payable(ctx, tx, late)
  if tx.status == "pending" then return late or ctx.now() < tx.expires_at end
  return late and (tx.status == "expired" or tx.status == "inactive" or tx.status == "failed")
end

-- Somebody pays: the record and what was sent; or nil, status, why.
local function settle(ctx, id, amount, late)
  local payment = { id = "py-" .. crypto.uuid(), amount = amount, at = ctx.now(), status = "paid" }
  local tx, done = change_and_tell(ctx, id, LOOK_MS, function(tx)
    if not payable(ctx, tx, late) then return end
    local fails = rules.failure(tx)
    if tx.kind == "qr" then payment.id = payment.id:gsub("^py%-", "qrpy_") end
    if fails then
      tx.status, tx.failure, payment.status, payment.failure = "failed", fails, "failed", fails
    elseif tx.single ~= false then
      tx.status = "paid"
    end
    tx.payments[#tx.payments + 1] = payment
    return fails and (FAILED[tx.kind] or "payment") or SUCCEEDED[tx.kind] or "payment", #tx.payments
  end)
  if not done then return nil, 409, "it is " .. (tx and seen(ctx, tx) or "gone") .. " and takes no money" end
  return tx, tell(ctx, { id = id })
end

-- Taken back after it was settled: payment requests and wallets only.
local function void(ctx, id)
  local tx, done = change_and_tell(ctx, id, LOOK_MS, function(tx)
    if tx.status ~= "paid" or (tx.kind ~= "request" and tx.kind ~= "charge") then return end
    tx.status = "voided"
    for _, p in ipairs(tx.payments) do p.status = "voided" end
    return tx.kind == "request" and "payment.voided" or "voided", 1
  end)
  return tx, done and tell(ctx, { id = id }) or json.array {}
end

local function paid(ctx, id, amount, late)
  local tx, sent, why = settle(ctx, id, amount, late)
  if not tx then return nil, sent, why end
  local taken_back
  if simulator.denied(ctx, facts_of(tx)) then
    local now, more = void(ctx, id)
    taken_back = now.status == "voided" or nil
    for _, one in ipairs(more) do sent[#sent + 1] = one end
  end
  return { order_id = tx.reference, id = tx.id, payment_id = tx.payments[#tx.payments].id, amount = amount, callbacks = sent, taken_back = taken_back }
end

local function pay(ctx, ref, amount)
  local tx = find(ctx, ref)
  if not tx then return nil, 404 end
  if tx.amount == nil and amount == nil then return nil, 400, "it is open: say how much" end
  local facts = facts_of(tx)
  local late = simulator.late(ctx, facts)
  amount = simulator.amount(ctx, facts, tx.amount, amount)
  if late and tx.status == "pending" and ctx.now() < tx.expires_at then
    sim.later(ctx, tx.expires_at + simulator.LATE_BY, "pay", { id = tx.id, amount = amount })
    return { order_id = tx.reference, id = tx.id, amount = amount, pays_at = utc(tx.expires_at + simulator.LATE_BY) }
  end
  return paid(ctx, tx.id, amount, late)
end

local function row(ctx, tx)
  local status = seen(ctx, tx)
  return { ref = tx.id, payable = status == "pending", back = tx.back, cells = { tx.reference, tx.kind, tx.channel or "", tx.number or "",
    tx.amount or "open", status, utc(tx.made_at), utc(tx.expires_at) } }
end

sim = simulator.new {
  provider = "xendit", title = "Xendit simulator", keys = { "payment_id", "id" },
  columns = { "reference", "product", "channel", "number", "amount", "status", "made", "expires" },
  rows = function(ctx)
    local list = {}
    for _, id in ipairs(simulator.recent(ctx)) do
      local tx = simulator.read(ctx, "tx " .. id)
      if tx then list[#list + 1] = row(ctx, tx) end
    end
    return list
  end,
  pay = pay,
  secret_headers = function(ctx) return { ["x-callback-token"] = ctx.config.token } end,
  retry = function(_, tried) return INTERVALS[tried + 1] end, -- any answer but 2xx
  take_back = function(ctx, match)
    local tx = find(ctx, match.id or match.order_id or match.payment_id or "")
    if not tx or tx.status ~= "paid" or not simulator.fits(match, facts_of(tx)) then return false end
    local now = void(ctx, tx.id)
    return now.status == "voided"
  end,
  needs = { pay = { "id", "amount" }, tell = { "id" }, expire = { "id" }, awake = { "id" }, refunded = { "id", "n" } },
  later = {
    pay = function(ctx, arg) paid(ctx, arg.id, arg.amount, true) end,
    tell = tell,
    expire = function(ctx, arg)
      local webhook = crypto.uuid()
      change(ctx, arg.id, function(tx)
        if tx.status ~= "pending" or ctx.now() < tx.expires_at then return false end
        tx.status = "expired"
        local what = tx.kind == "invoice" and "expired" or tx.kind == "request" and "payment_method.expired"
        local n
        if tx.wallet then -- nobody confirmed
          tx.status, tx.failure = "failed", "USER_DID_NOT_AUTHORIZE"
          tx.payments[1] = { id = "py-" .. webhook, amount = tx.amount, at = ctx.now(), status = "failed", failure = tx.failure }
          what, n = FAILED[tx.kind] or "payment", 1
        end
        if what then tx.owes[#tx.owes + 1] = { what = what, n = n, id = webhook } end
        return true
      end)
      tell(ctx, arg) -- also where we died behind the change
    end,
    awake = function(ctx, arg) -- the bank knows the number now
      local webhook = crypto.uuid()
      change(ctx, arg.id, function(tx)
        if tx.awake then return false end
        tx.awake = true
        tx.owes[#tx.owes + 1] = { what = "awake", id = webhook }
        return true
      end)
      tell(ctx, arg)
    end,
    refunded = function(ctx, arg)
      local webhook = crypto.uuid()
      change(ctx, arg.id, function(tx)
        local r = tx.refunds[arg.n]
        if not r or r.status ~= "PENDING" then return false end
        r.status, r.updated_at = "SUCCEEDED", ctx.now()
        tx.owes[#tx.owes + 1] = { what = "refund", n = arg.n, id = webhook }
        return true
      end)
      tell(ctx, arg)
    end,
  },
}

---- a new one ----

local function number(ctx, prefix, digits, n, wanted)
  local own = prefix .. ("%0" .. digits .. "d"):format(n)
  if not wanted then return own end
  wanted = wanted:sub(1, #prefix) == prefix and wanted or prefix .. wanted
  local holder = find(ctx, wanted)
  return wanted, holder ~= nil and seen(ctx, holder) == "pending"
end

-- Writes the record and all by which it is found.
local function keep(ctx, tx, n)
  tx.updated_at, tx.status = tx.made_at, "pending"
  tx.payments, tx.refunds, tx.owes, tx.refunded = json.array {}, json.array {}, json.array {}, 0
  tx.base = ctx.url "/sandbox/xendit" -- where a person's browser finds it, not Xendit's own host
  if tx.kind == "qr" or tx.type == "QR_CODE" then tx.qr_string = rules.qr_string(tx.amount, n) end
  sim.later(ctx, tx.expires_at, "expire", { id = tx.id })
  simulator.update(ctx, "all " .. tx.reference, function(list)
    list = json.array(list or {})
    list[#list + 1] = tx.id
    return list
  end)
  for _, ref in ipairs { tx.reference, tx.number or false, tx.method or false, table_or(tx.metadata).payment or false,
    table_or(tx.metadata).order_id or false } do
    if ref then ctx.store.put("ref " .. ref, tx.id) end
  end
  ctx.store.put("tx " .. tx.id, json.encode(tx)) -- last: where we die before, it was never made
  return tx
end

books.sim, books.find, books.of_kind, books.seen, books.change, books.change_and_tell = sim, find, of_kind, seen, change, change_and_tell
books.facts_of, books.view, books.row, books.paid, books.void, books.number, books.keep = facts_of, view, row, paid, void, number, keep

return books
