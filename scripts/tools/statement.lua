-- scripts/tools/statement.lua: a merchant's statement as CSV: every change of what it has, with the balance before
-- and after, from one day to another (WIB, both counted):
--   luwak run scripts/tools/statement.lua mer_... --from 2026-01-01 --to 2026-01-31 > january.csv
-- The first line is the opening balance, the last the closing one; the lines between add up to the difference.
-- `available` are the moves of a payment's share from waiting (T+n) to what may be paid out.
local operator = require "operator_tool"

local LINES = [[SELECT m.entry AS n, e.at, e.kind, m.change, m.balance, e.object, p.order_id FROM mutation m JOIN ledger_entry e ON e.n = m.entry
  LEFT JOIN payment p ON p.id = e.object WHERE m.entry > ?1 AND m.merchant = ?2 AND e.at >= ?3 AND e.at < ?4 ORDER BY m.entry]]
local OPENING = [[SELECT m.balance FROM mutation m JOIN ledger_entry e ON e.n = m.entry WHERE m.merchant = ?1 AND e.at < ?2 ORDER BY m.entry DESC LIMIT 1]]

local function day_of(text, name)
  local at = text:match("^%d%d%d%d%-%d%d%-%d%d$") and time.day_start(text, "WIB")
  if not at then operator.stop("--" .. name .. ": " .. text .. " is no day like 2026-01-31") end
  return at
end

return {
  api = 1, about = "Writes a merchant's statement as CSV.",
  args = {
    { "merchant", "text", doc = "mer_..." },
    { "from", "text", doc = "the first day, 2026-01-01" },
    { "to", "text", doc = "the last day" },
  },
  run = function(args, say)
    local from, last = day_of(args.from, "from"), day_of(args.to, "to")
    if last < from then operator.stop("--to: " .. args.to .. " is before --from") end
    if #operator.query("merchant_get", args.merchant) == 0 then operator.stop("there is no merchant " .. args.merchant) end
    local to = time.day_start(time.add_days(args.to, 1), "WIB")
    local opening = operator.select(OPENING, args.merchant, from)[1]
    local balance = opening and opening.balance or 0
    local function row(...) say((csv.encode { { ... } }:gsub("[\r\n]+$", ""))) end
    row("at", "type", "reference", "order_id", "change", "balance_before", "balance_after")
    row(operator.stamp(from), "opening", "", "", 0, balance, balance)
    for line in operator.each(LINES, args.merchant, from, to) do
      if line.balance - line.change ~= balance then operator.stop("the books do not follow at entry " .. line.n .. ": run luwak verify") end
      row(operator.stamp(line.at), line.kind, line.object or "", line.order_id or "", line.change, balance, line.balance)
      balance = line.balance
    end
    row(operator.stamp(to - 1), "closing", "", "", 0, balance, balance)
  end,
}
