-- scripts/tools/reconcile.lua: a provider's settlement file against our books:
--   luwak run scripts/tools/reconcile.lua midtrans settlement.csv [--account midtrans] [--dry-run]
-- What is matched is booked (bank, provider's fee, tax on it), each row in a commit of its own and once
-- however often the file is run; what is not is explained. The report is printed and stored.
--
-- UNCERTAIN: Midtrans publishes no format of its settlement CSV, and what a dashboard exports differs by
-- product and year. So columns are found by the names below, whatever their order and case; a file that has
-- none of the names for a needed column is refused with what it does have, and nothing is booked. Add the
-- name there. Tax: where the file has no column for it, it is taken as within the net (0), never guessed.
local operator = require "operator"
local settlement = require "settlement"

local MIDTRANS = {
  id = { "transaction id", "transaction_id" },
  order = { "order id", "order_id" },
  gross = { "gross amount", "gross_amount", "amount", "transaction amount" },
  fee = { "fee", "transaction fee", "mdr", "payment fee" },
  vat = { "vat", "ppn", "tax", "fee vat" },
  net = { "net amount", "net_amount", "settlement amount", "nett amount" },
  kind = { "transaction type", "transaction_type", "type", "transaction status", "transaction_status" },
  at = { "transaction time", "transaction_time", "payment time", "settlement time", "settlement_time" },
}
local FORMATS = { midtrans = MIDTRANS }
local OPTIONAL = { vat = true, kind = true, net = true, at = true }
local REFUNDS = { refund = true, partial_refund = true, ["partial refund"] = true, chargeback = true }

local function columns_of(row, names, file)
  local there, has, out = {}, {}, {}
  for name in pairs(row) do
    if type(name) == "string" then
      there[name:lower():gsub("^%s+", ""):gsub("%s+$", ""):gsub("^\u{feff}", "")] = name
      has[#has + 1] = name
    end
  end
  table.sort(has)
  for field, list in sorted(names) do
    for _, name in ipairs(list) do out[field] = out[field] or there[name] end
    if not out[field] and not OPTIONAL[field] then
      operator.stop(file .. ": no column for " .. field .. " (one of " .. table.concat(list, ", ") .. "); it has " .. table.concat(has, ", "))
    end
  end
  return out
end

-- "150000.00", "Rp 150,000", "-4,000": whole rupiah, or it is refused.
local function amount(text, where)
  local plain = text:gsub("^%s*-?%s*[Rr]p%.?%s*", ""):gsub("%s", "")
  local minus = text:find("^%s*%-") or plain:find("^%-")
  plain = plain:gsub("^%-", "")
  if plain:find(",") then
    if not plain:find("^%d%d?%d?,%d%d%d[,%d]*%.?%d*$") then operator.stop(where .. ": " .. text .. " is no amount") end
    plain = plain:gsub(",", "")
  end
  local n = money.parse(plain, "IDR")
  if not n then operator.stop(where .. ": " .. text .. " is no amount in whole rupiah") end
  return minus and -n or n
end

local function instant(text, where)
  if text == "" then return nil end
  local day = text:match("^%d%d%d%d%-%d%d%-%d%d")
  local at = day and (time.parse(text, "datetime", "WIB") or time.parse(text) or time.day_start(day, "WIB"))
  if not at then operator.stop(where .. ": " .. text .. " is no time like 2026-01-31 10:00:00") end
  return at
end

-- All rows are read before any is booked: a file that is wrong somewhere books nothing.
local function read(file, names)
  -- What is no CSV is the file's fault and named as such: neither a line of ours nor a trace.
  local function good(ok, ...)
    if not ok then operator.stop(file .. ": " .. tostring((...)):gsub("^.-csv: ", "", 1)) end
    return ...
  end
  local next_row, why = good(pcall(csv.rows, file))
  if not next_row then operator.stop(why) end
  local rows, columns, line = {}, nil, 1
  for row in function() return good(pcall(next_row)) end do
    columns, line = columns or columns_of(row, names, file), line + 1
    local where = file .. ":" .. line
    local function cell(field) return columns[field] and row[columns[field]] or "" end
    local function number(field) return cell(field) == "" and 0 or amount(cell(field), where .. ": " .. columns[field]) end
    local r = { line = line, id = cell "id", order = cell "order", gross = number "gross", fee = math.abs(number "fee"), vat = math.abs(number "vat"),
      at = instant(cell "at", where), kind = REFUNDS[cell("kind"):lower()] and "refund" or "payment" }
    if r.order == "" and r.id == "" then operator.stop(where .. ": neither an order id nor a transaction id") end
    if r.kind == "refund" then r.gross = -math.abs(r.gross) end
    r.net = columns.net and number "net" or r.gross - r.fee - r.vat
    if r.kind == "refund" and r.net > 0 then r.net = -r.net end
    rows[#rows + 1] = r
  end
  return rows
end

return {
  api = 1, about = "Reconciles a provider's settlement file with the books, and books what is matched.",
  args = {
    { "provider", "text", doc = "whose file: midtrans" },
    { "file", "path", doc = "the settlement CSV" },
    { "account", "text", default = "-", doc = "provider account; the provider's shared one when not given" },
  },
  run = function(args, say)
    local names = FORMATS[args.provider]
    if not names then operator.stop(args.provider .. ": no settlement format is known of it; there is one of midtrans") end
    local rows, at = read(args.file, names), 0
    local report = settlement.reconcile(args.account ~= "-" and args.account or args.provider, args.file:match("[^/]+$"), function()
      at = at + 1
      if rows[at] then say.progress(at, #rows) end
      return rows[at]
    end)
    for _, f in ipairs(report.findings) do
      say(string.format("%-9s %s%s  %s: %s", f.kind, f.line and "line " .. f.line .. "  " or "", f.payment or f.order or f.transaction or "?", operator.rupiah(f.gross), f.why))
    end
    local c, s = report.counts, report.sums
    say(string.format("%d matched (%d booked now), %d missing, %d extra, %d differing", c.matched, report.booked, c.missing, c.extra, c.differing))
    say(string.format("booked: gross %s, fees %s, tax %s, to the bank %s", operator.rupiah(s.gross), operator.rupiah(s.fee), operator.rupiah(s.vat), operator.rupiah(s.net)))
    if c.extra + c.differing > 0 then operator.stop("a person must look at " .. c.extra + c.differing .. " row(s)") end
  end,
}
