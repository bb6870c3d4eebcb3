-- scripts/tools/backtest.lua: what a rule would have changed: `luwak backtest FILE --since 30d`. The rule is
-- asked as if it lay among those that serve, about what the store remembers; nothing is changed.
--
-- What it cannot know: counts per customer (customers are sealed; such facts are 0), the order of channels
-- where routing names none, and rules that served then but do not now.
local operator = require "operator_tool"

local PAYMENTS = [[SELECT p.n, p.id, p.merchant, p.order_id, p.status, p.amount, p.amount_due, p.amount_paid, p.currency, p.method, p.channel,
  p.bank, p.fee, p.failure, p.created, p.paid_at, (SELECT o.account FROM operation o WHERE o.id = p.attempt) AS account,
  (SELECT o.script FROM operation o WHERE o.payment = p.id AND o.kind = 'create' ORDER BY o.id LIMIT 1) AS first
  FROM payment p WHERE p.n > ?1 AND p.created >= ?2 ORDER BY p.n]]
local MONEY = [[SELECT m.id AS n, ?3 AS why, m.amount AS came, m.counted, m.held, m.returned, m.paid_at AS came_at, p.id, p.merchant, p.order_id,
  p.status, p.amount, p.amount_due, p.amount_paid, p.currency, p.method, p.channel, p.bank, p.created, p.expires_at, m.account,
  (SELECT count(*) FROM refund r WHERE r.movement = m.id AND r.status <> 'failed') AS refunds
  FROM movement m JOIN payment p ON p.id = m.payment WHERE m.id > ?1 AND m.at >= ?2 AND (m.why = ?3
  OR m.why = 'mismatch' AND ?3 = CASE WHEN m.amount < p.amount_due - p.amount_paid THEN 'short' ELSE 'over' END) ORDER BY m.id]]

local function day(ms) return time.format(ms, "date", "WIB") end

local function facts(p, at)
  return {
    amount = p.amount, currency = p.currency, merchant = p.merchant, order_id = p.order_id, paid_on = day(at), method = p.method,
    channel = p.channel, bank = p.bank, provider = p.account and p.account:match("^[^/]+"),
  }
end

local function fee_text(fee)
  local parts = {}
  for i, l in ipairs(fee.lines) do parts[i] = l.name .. " " .. l.amount end
  return fee.bearer .. ": " .. (#parts == 0 and "nothing" or table.concat(parts, ", "))
end

local function stored_fee(p)
  local fee = p.fee and json.decode(p.fee) or { bearer = "merchant", lines = {} }
  fee.total = 0
  for _, l in ipairs(fee.lines) do fee.total = money.add(fee.total, l.amount) end
  return fee
end

-- Each kind: old and new as texts, and for fees what they come to; nil: nothing to ask about.
local KINDS = {}

-- As the engine asks: the payer's fee at create, the merchant's on the day the money came.
function KINDS.fee(p, trial)
  if not p.channel then return nil end
  local old = stored_fee(p)
  local f = facts(p, old.bearer ~= "customer" and p.paid_at or p.created)
  if old.bearer ~= "customer" and p.paid_at then f.amount = p.amount_due end
  local new, why = core.rules.fee(f, trial)
  if not new then return nil, why end
  return fee_text(old), fee_text(new), old.total, new.total
end

function KINDS.routing(p, trial)
  if not p.first then return nil end
  local f = facts(p, p.created)
  f.channel, f.provider = nil, nil
  local route, why = core.rules.route(f, trial)
  if not route then return nil, why end
  local old = p.first:match("([^/]+)%.lua$")
  return old, route.channels[1] or old
end

function KINDS.risk(p, trial, windows)
  local f = facts(p, p.created)
  f.channel, f.provider, f.facts = nil, nil, {}
  for name, span in pairs(windows) do
    f.facts[name] = span == 0 and 0 or operator.select("SELECT count(*) AS n FROM payment WHERE merchant = ?1 AND created > ?2 AND created < ?3",
      p.merchant, p.created - span, p.created)[1].n
  end
  local new, why = core.rules.risk(f, trial)
  if not new then return nil, why end
  local failure = p.failure and json.decode(p.failure)
  local old = failure and failure.code == "FRAUD_DETECTED" and "deny" or "allow"
  return old, new.verdict .. (new.reason and " " .. new.reason or "")
end

local function days(from, to) return (time.day_start(day(to), "WIB") - time.day_start(day(from), "WIB")) // 86400000 end

function KINDS.policy(m, trial)
  local f = facts(m, m.came_at)
  f.on, f.amount, f.amount_due, f.amount_paid = m.why, m.came - (m.why == "over" and m.counted or 0), m.amount_due, m.amount_paid
  f.status = m.status
  f.days_late = m.expires_at and m.came_at >= m.expires_at and days(m.expires_at, m.came_at) or 0
  local new, why = core.rules.policy(f, trial)
  if not new then return nil, why end
  return (m.returned > 0 or m.refunds > 0) and "refund" or m.held == 0 and "accept" or "wait", new.action
end

-- What a risk rule wants counted, and over which time; 0: it cannot be counted any more.
local function windows_of(names)
  local out = {}
  for _, name in ipairs(names) do
    local span = name:match("^payments_per_merchant_(.+)$")
    out[name] = span and time.duration(span) or 0
  end
  return out
end

return {
  api = 1, about = "Shows what a rule would have changed.",
  args = {
    { "file", "path", doc = "the rule" },
    { "since", "text", default = "30d", doc = "how far back: 30d, 12h, or a day" },
    { "csv", "path", default = "-", doc = "write all that was asked about to this file" },
  },
  run = function(args, say)
    local since = operator.instant(args.since, "since")
    local trial, rule = core.rules.load(args.file)
    if not trial then operator.stop(rule) end
    local kind = rule.kind
    local judge = KINDS[kind]
    if not judge then operator.stop(args.file .. ": a rule of the kind " .. kind .. " decides nothing by itself") end
    local out = args.csv ~= "-" and operator.csv(args.csv, { "payment", "merchant", "order_id", "status", "created_at", "amount", "old", "new",
      "old_total", "new_total", "changed", "error" })
    local asked, changed, failed, paid = 0, 0, 0, { n = 0, old = 0, new = 0 }
    local windows = windows_of(rule.facts)
    local walk = kind == "policy" and operator.each(MONEY, since, rule.on) or operator.each(PAYMENTS, since)
    for p in walk do
      local old, new, before, after = judge(p, trial, windows)
      if old or new then
        asked = asked + 1
        local wrong = not old and new or nil
        local other = not wrong and old ~= new
        if wrong then
          failed = failed + 1
          say(string.format("%s  %-10s %14s  the rule fails: %s", p.id, p.status, operator.rupiah(p.amount), wrong:match("^[^\n]*")))
        elseif other then
          changed = changed + 1
          say(string.format("%s  %-10s %14s  %s  ->  %s", p.id, p.status, operator.rupiah(p.amount), old, new))
        end
        if before and not wrong and p.status == "success" then
          paid.n, paid.old, paid.new = paid.n + 1, money.add(paid.old, before), money.add(paid.new, after)
        end
        if out then
          out.put { p.id, p.merchant, p.order_id, p.status, operator.stamp(p.created), p.amount, old or "", not wrong and new or "", before or "",
            after or "", other, wrong or "" }
        end
      end
    end
    if out then out.close() end
    local what = kind == "policy" and "movements" or "payments"
    say(string.format("%d %s since %s: %d would be otherwise%s", asked, what, operator.stamp(since), changed,
      failed > 0 and ", " .. failed .. " would fail" or ""))
    if kind == "fee" then
      say(string.format("fees of the %d that are paid: %s, would be %s (%s%s)", paid.n, operator.rupiah(paid.old), operator.rupiah(paid.new),
        paid.new >= paid.old and "+" or "", operator.rupiah(paid.new - paid.old)))
    end
    if failed > 0 then operator.stop(failed .. " " .. what .. " the rule could not answer for") end
  end,
}
