-- scripts/sandbox/self.lua: the bank behind channels/self_va.lua. It keeps no accounts, because nobody
-- opens one with it: whoever pays reads amount and number where a payer does, in the payment itself (the
-- demo merchant's). Books: "money ID", one transfer each, and the bank tells of the money that came, also
-- when it dies in between. POST _control {"pay": payment id or order id}, or {"pay": account number,
-- "amount": n}.
local simulator = require "simulator"

local LATE_BY = 3600000
local LOOK_MS = 60000 -- when it is looked whether what happened was told
local sim

local function headers(key, body)
  return { ["Content-Type"] = "application/json", ["X-Signature"] = crypto.hmac("sha512", key, body, "hex") }
end

local function tell(ctx, m)
  local body = json.encode { va_number = m.va_number, amount = m.amount, money_id = m.money_id, paid_at = time.format(m.paid_at), status = m.status }
  local function kept() -- this word is told, whatever becomes of us; a later one is not
    simulator.update(ctx, "money " .. m.money_id, function(now)
      if now.owes ~= m.status then return nil end
      now.owes = nil
      return now
    end)
  end
  return sim.callback(ctx, { url = simulator.HOME .. "/callbacks/self", headers = headers(ctx.config.key, body), body = body,
    facts = m.facts, spoil = function() return headers("somebody else's key", body), body end, kept = kept })
end

-- What it owes us to hear stands in the books with the money, and the job that looks was on disk before.
local function book(ctx, m, status)
  sim.later(ctx, ctx.now() + LOOK_MS, "tell", { id = m.money_id })
  m.status, m.owes = status, status
  ctx.store.put("money " .. m.money_id, json.encode(m))
  return tell(ctx, m)
end

local function told(ctx, arg)
  local m = simulator.read(ctx, "money " .. arg.id)
  if m and m.owes then tell(ctx, m) end
end

local function paid(ctx, m)
  -- what is paid later has its id from the day it was asked for: the job may run twice, the money moves once
  m.money_id, m.paid_at = m.money_id or "self-" .. crypto.uuid(), ctx.now()
  sim.remember(ctx, m.va_number .. " " .. m.amount)
  local said = book(ctx, m, "paid")
  local taken_back = simulator.denied(ctx, m.facts) or nil
  if taken_back then
    for _, one in ipairs(book(ctx, m, "reversed")) do said[#said + 1] = one end
  end
  return { va_number = m.va_number, amount = m.amount, money_id = m.money_id, callbacks = said, taken_back = taken_back }
end

local function pay(ctx, ref, amount)
  if ref:find "^%d+$" and amount then return paid(ctx, { va_number = ref, amount = amount, facts = {} }) end
  local p = simulator.payment(ctx, ref)
  p = p and type(p.instructions) == "table" and p.instructions.va_number and p
  if not p and ref:find "^%d+$" then return nil, 400, "an account number alone does not say how much" end
  if not p then return nil, 404, "no payment of the demo merchant with an account number" end
  local facts = { order_id = p.order_id, payment_id = p.id }
  local late = simulator.late(ctx, facts)
  local m = { va_number = p.instructions.va_number, amount = simulator.amount(ctx, facts, p.amount_due, amount), facts = facts }
  local ends = p.expires_at and time.parse(p.expires_at)
  if not late or not ends or ctx.now() >= ends then return paid(ctx, m) end
  m.money_id = "self-" .. crypto.uuid()
  sim.later(ctx, ends + LATE_BY, "pay", m)
  return { va_number = m.va_number, amount = m.amount, pays_at = time.format(ends + LATE_BY) }
end

sim = simulator.new {
  provider = "self", title = "Bank of our own virtual accounts", keys = { "payment_id" },
  words = { "late", "duplicate", "reorder", "short", "over", "wrong_signature", "deny_after_settlement" }, columns = { "account and amount" },
  pay = pay, prove = function(ctx, cb) return headers(ctx.config.key, cb.body) end,
  retry = function(_, tried) return ({ 60000, 300000, 1800000, 7200000 })[tried + 1] end,
  rows = function(ctx)
    local rows = {}
    for i, text in ipairs(simulator.recent(ctx)) do rows[i] = { ref = text, payable = false, cells = { text } } end
    return rows
  end,
  needs = { pay = { "va_number", "amount", "facts" }, tell = { "id" } },
  later = { pay = paid, tell = told },
}

return {
  api = 1, provider = "self", title = "Bank of our own virtual accounts",
  config = { key = secret "SELF_KEY" },
  routes = sim.routes {},
}
