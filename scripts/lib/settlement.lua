-- scripts/lib/settlement.lua: reconciliation: what a provider says it paid out against what we booked when the
-- money came. Rows come from a reader of the provider's file (scripts/tools/reconcile.lua), each
--   { id = transaction's id, order = our reference, kind = "payment" | "refund", gross, fee, vat, net, at = ms or nil, line = n }
-- and each ends as one of
--   matched    ours, of the same amount: booked now, or before with the same figures
--   differing  ours, but the figures do not agree: not booked, a person looks
--   extra      the provider settled what we do not know as paid: not booked
--   missing    paid here in the days that the file covers, and not in it
-- Each that is not matched comes with a line that says why it may be so.
local operator = require "operator"

local SHOWN_MAX = 1000
local BATCH = 32 -- rows that are booked in one commit

local settlement = {}

local function wib(ms) return time.format(ms, "rfc3339", "WIB") end

local function start(account)
  return { account = account, day = time.format(time.now(), "date", "WIB"), at = time.now(),
    backs = {}, taken = {}, -- of this file: what each payment's refunds add up to, and the keys of their rows
    counts = { matched = 0, missing = 0, extra = 0, differing = 0 }, booked = 0,
    sums = { gross = 0, fee = 0, vat = 0, net = 0 }, findings = json.array {}, more = 0 }
end

local function found(report, kind, row, seen)
  if row.payment then seen[row.payment] = true end
  report.counts[kind] = report.counts[kind] + 1
  if #report.findings == SHOWN_MAX then report.more = report.more + 1 return end
  row.kind = kind
  report.findings[#report.findings + 1] = row
end

-- Why a row is not ours.
local function stranger(account, row)
  local known = operator.query("settlement_payment", account, row.order)[1]
  if not known then return "no attempt of ours has this reference: another system of the same account, or the wrong account" end
  return "payment " .. known.payment .. " is " .. known.status .. " here: its callback was lost; sync it, then run this again", known.payment
end

local function figures(row) return { gross = row.gross, fee = row.fee, vat = row.vat, net = row.net } end

local function same(a, b) return a.gross == b.gross and a.fee == b.fee and a.vat == b.vat and a.net == b.net end

-- A refund has no id of its own in a settlement file: two of one payment, of one amount and even of one moment
-- are two all the same, and each row of a file is another. A row is the one that was booked for its moment; else
-- one of which the moment is not known, by that row or this one, for a file may lack the column; else a new one.
local function refund_key(report, row, ours)
  local base, at = "refund:" .. ours.payment .. ":" .. row.gross .. ":", row.at and wib(row.at)
  local maybe
  for n = 1, math.maxinteger do
    local key = base .. n
    if not report.taken[key] then
      local was = operator.query("kv_get", "settlement:" .. report.account, key)[1]
      local before = was and json.decode(was.value).at
      if was and at and before == at then maybe = key break end
      if not maybe and (not was or not at or before == json.null) then maybe = key end
      if not was then break end
    end
  end
  report.taken[maybe] = true
  return maybe
end

-- "matched", "differing" and why, or "book" and what core.settlement.book is to be given.
local function judge(report, row, ours)
  local wanted = row.kind == "refund" and -row.gross or row.gross
  if row.kind ~= "refund" and wanted ~= ours.amount then
    local by = wanted - ours.amount
    return "differing", "it settled " .. operator.rupiah(wanted) .. " and " .. operator.rupiah(ours.amount) .. " came here: " ..
      operator.rupiah(by) .. (by < 0 and ours.amount_refunded > 0 and "; a refund may be netted" or "")
  end
  local back = row.kind == "refund" and money.add(report.backs[ours.payment] or 0, wanted)
  if back and back > ours.amount_refunded + ours.amount_reversed then
    return "differing", "it took back " .. operator.rupiah(back) .. " and " .. operator.rupiah(ours.amount_refunded + ours.amount_reversed) .. " went back here"
  end
  if back then report.backs[ours.payment] = back end
  if report.account:find("/", 1, true) then return "matched" end -- a merchant's own account: its money never passes us
  local detail = figures(row)
  detail.at, detail.transaction, detail.file = row.at and wib(row.at) or json.null, row.id, report.file
  return "book", { account = report.account, key = back and refund_key(report, row, ours) or row.kind .. ":" .. (ours.money_id or "=" .. ours.id),
    payment = ours.payment, detail = json.encode(detail), gross = row.gross, fee = row.fee, vat = row.vat, net = row.net }
end

local function count_booked(report, row)
  report.counts.matched, report.booked = report.counts.matched + 1, report.booked + 1
  for name, sum in pairs(report.sums) do report.sums[name] = money.add(sum, row[name]) end
end

-- One that did not go in with the others.
local function book_one(report, row, what, finding, seen)
  local booked, why = core.settlement.book(what)
  if booked then return count_booked(report, row) end
  if booked == false then
    local before = json.decode(operator.query("kv_get", "settlement:" .. report.account, what.key)[1].value)
    if same(before, row) then
      report.counts.matched = report.counts.matched + 1
      return
    end
    why = "it was booked before as gross " .. before.gross .. ", fee " .. before.fee .. ", tax " .. before.vat .. ", net " .. before.net
  end
  finding.why = why
  found(report, "differing", finding, seen)
end

-- All of them in one commit; where one was there before none goes in, and each is booked by itself.
local function book(report, waiting, seen)
  local rows = {}
  for i, w in ipairs(waiting) do rows[i] = w.what end
  local all = #rows > 1 and core.settlement.book(rows)
  for i, w in ipairs(waiting) do
    if all then count_booked(report, w.row) else book_one(report, w.row, w.what, w.finding, seen) end
    waiting[i] = nil
  end
end

local function one(report, row, seen, waiting)
  local list = row.id ~= "" and operator.query("settlement_movement", report.account, row.id) or {}
  if #list == 0 then list = operator.query("settlement_order", report.account, row.order) end
  local finding = { line = row.line, order = row.order, transaction = row.id, gross = row.gross }
  if #list > 1 then
    finding.why = "several transfers came for this reference, and the row names none of them"
    return found(report, "differing", finding, seen)
  end
  local ours = list[1]
  if not ours or not ours.payment then
    finding.why, finding.payment = stranger(report.account, row)
    return found(report, "extra", finding, seen)
  end
  local kind, what = judge(report, row, ours)
  finding.payment = ours.payment
  if kind == "matched" then
    report.counts.matched = report.counts.matched + 1
  elseif kind == "differing" then
    finding.why = what
    found(report, kind, finding, seen)
  else
    waiting[#waiting + 1] = { row = row, what = what, finding = finding }
    if #waiting == BATCH then book(report, waiting, seen) end
  end
end

-- What came in that time and was never settled; what a row spoke of is told with that row.
local function look_for_missing(report, from, to, seen)
  for m in operator.pages("movements_unsettled", report.account, from, to, "settlement:" .. report.account) do
    local why = m.amount_reversed > 0 and "the provider took it back" or m.amount_refunded >= m.amount and "it was refunded: the provider may settle nothing"
      or "paid " .. wib(m.paid_at) .. " and in no file yet" .. (time.parts(m.paid_at, "WIB").hour >= 22 and ": after the provider's cut-off it is in the next one" or ": ask the provider")
    if not seen[m.payment] then found(report, "missing", { payment = m.payment, transaction = m.money_id, gross = m.amount, why = why }, {}) end
  end
end

-- Stored whole, once per run; a run that is repeated is another report of the same file.
local function keep(report)
  report.backs, report.taken = nil, nil
  report.at = wib(report.at)
  local ok, why = store.commit { { "kv_put", scope = "reconciliation:" .. report.account, key = report.at .. " " .. report.file, value = json.encode(report) } }
  if not ok then operator.stop("the report could not be stored: " .. why) end
  return report
end

-- Rows against the books. The days that they cover are searched for what is missing.
function settlement.reconcile(account, file, rows)
  local report, seen, waiting, first, last = start(account), {}, {}, nil, nil
  report.file = file
  for row in rows do
    one(report, row, seen, waiting)
    if row.at then first, last = math.min(first or row.at, row.at), math.max(last or row.at, row.at) end
  end
  book(report, waiting, seen)
  if first then
    local from = time.day_start(time.format(first, "date", "WIB"), "WIB")
    look_for_missing(report, from, time.day_start(time.add_days(time.format(last, "date", "WIB"), 1), "WIB"), seen)
  end
  return keep(report)
end

-- Without a file: what is older than `days` and was never settled.
function settlement.overdue(account, days)
  local report = start(account)
  report.file = "overdue"
  look_for_missing(report, 0, time.now() - days * 86400000, {})
  return keep(report)
end

return settlement
