-- scripts/tools/explain.lua: a payment's whole life, from the store: `luwak explain PAYMENT [--json]`.
-- One list of what happened, in order, out of every table that knows of the payment. What is sealed
-- (customers, raw callbacks) stays so: it is named by id, or by its hash and size.
local operator = require "operator_tool"

local OPERATIONS = [[SELECT id, kind, script, version, account, reference, status, attempts, amount, created, updated,
  json_extract(doc, '$.data') AS data, json_extract(doc, '$.result') AS result FROM operation WHERE payment = ?1 ORDER BY id]]
local CALLBACKS = [[SELECT id, account, lower(hex(hash)) AS sha256, length(body) AS bytes, state, reference, money_id, amount, paid_at,
  status, at, updated FROM inbox WHERE payment = ?1 ORDER BY id]]
local REFUNDS = [[SELECT id, amount, status, reason, operation, by, failure, created, updated FROM refund WHERE payment = ?1 ORDER BY n]]
-- of the payment and of its refunds and reversals: whoever carries its id
local OBJECTS = [[(SELECT ?1 UNION SELECT id FROM refund WHERE payment = ?1 UNION SELECT id FROM reversal WHERE payment = ?1)]]
local ENTRIES = [[SELECT e.n, d.name AS debit, c.name AS credit, e.amount, e.kind, e.object, e.at FROM ledger_entry e
  JOIN ledger_account d ON d.n = e.debit JOIN ledger_account c ON c.n = e.credit WHERE e.object IN ]] .. OBJECTS .. " ORDER BY e.n"
local EVENTS = [[SELECT e.sequence, e.type, e.object, json_extract(e.doc, '$.status') AS status, e.at FROM event e
  JOIN topic t ON t.id = e.topic WHERE t.name = ?2 AND e.object IN ]] .. OBJECTS .. " ORDER BY e.sequence"
local WEBHOOKS = [[SELECT d.sequence, p.id AS endpoint, CASE WHEN p.named IS NULL THEN p.url
  ELSE (SELECT u.url FROM payment_url u WHERE u.payment = ?1 AND u.n = p.named) END AS url, d.state, d.tries, d.status, d.error, d.due_at, d.at, d.updated
  FROM endpoint p JOIN delivery d ON d.endpoint = p.id WHERE p.merchant = ?2 AND d.sequence IN
  (SELECT e.sequence FROM event e JOIN topic t ON t.id = e.topic WHERE t.name = ?2 AND e.object IN ]] .. OBJECTS .. ") ORDER BY d.sequence, p.id"
local JOBS = [[SELECT name, state, due_at, attempts, error FROM job WHERE state IN ('waiting', 'running')
  AND (instr(args, ?1) OR EXISTS (SELECT 1 FROM operation o WHERE o.payment = ?1 AND instr(job.args, o.id))) ORDER BY due_at]]

local rows, query, stamp, rupiah = operator.select, operator.query, operator.stamp, operator.rupiah
local function decoded(text) return text and json.decode(text) or nil end

-- By its id, else by what else one may have at hand.
local function find(word)
  local p = query("payment_get", word)[1]
  if p then return p end
  local found = rows([[SELECT id, merchant, order_id FROM payment WHERE order_id = ?1 UNION SELECT p.id, p.merchant, p.order_id
    FROM operation o JOIN payment p ON p.id = o.payment WHERE o.reference = ?1 OR o.id = ?1
    UNION SELECT p.id, p.merchant, p.order_id FROM refund r JOIN payment p ON p.id = r.payment WHERE r.id = ?1 LIMIT 20]], word)
  if #found == 0 then operator.stop("no payment, order, reference, attempt or refund is " .. word) end
  if #found == 1 then return query("payment_get", found[1].id)[1] end
  local ids = {}
  for i, row in ipairs(found) do ids[i] = row.id end
  operator.stop(#found .. " payments fit " .. word .. ", name one: " .. table.concat(ids, " "))
end

local function gather(word)
  local p = find(word)
  local life = {
    payment = p, operations = rows(OPERATIONS, p.id), movements = query("movements_of_payment", p.id), refunds = rows(REFUNDS, p.id),
    reversals = query("reversals_of_payment", p.id), callbacks = rows(CALLBACKS, p.id), entries = rows(ENTRIES, p.id),
    events = rows(EVENTS, p.id, p.merchant), webhooks = rows(WEBHOOKS, p.id, p.merchant), notes = query("notes_of_payment", p.id),
    due = rows(JOBS, p.id),
  }
  for _, name in ipairs { "instructions", "fee", "failure", "doc" } do p[name] = decoded(p[name]) end
  for _, o in ipairs(life.operations) do o.data, o.result = decoded(o.data), decoded(o.result) end
  for _, r in ipairs(life.refunds) do r.failure = decoded(r.failure) end
  return life
end

---- for a program ----

local TIMES = { at = true, created = true, updated = true, paid_at = true, expires_at = true, settle_at = true, due_at = true }

local function shown(row)
  local out = json.object {}
  for name, value in sorted(row) do
    out[name] = TIMES[name] and math.type(value) == "integer" and value > 0 and stamp(value) or value
  end
  return out
end

local function as_json(life)
  local out = json.object {}
  for name, list in sorted(life) do
    if name == "payment" then
      out[name] = shown(list)
    else
      out[name] = json.array {}
      for i, row in ipairs(list) do out[name][i] = shown(row) end
    end
  end
  return json.encode(out)
end

---- for a person ----

local function facts(...) -- name, value, name, value ...: those that are there
  local out = {}
  for i = 1, select("#", ...), 2 do
    local name, value = select(i, ...)
    if value ~= nil and value ~= json.null and value ~= "" then out[#out + 1] = name .. " " .. tostring(value) end
  end
  return table.concat(out, ", ")
end

local function script(path, version) return path .. " @" .. version:sub(1, 12) end

local function timeline(life)
  local list = {}
  local function add(at, order, what, text) list[#list + 1] = { at = at, order = order, n = #list, what = what, text = text } end
  local p = life.payment
  add(p.created, 0, "request", facts("order", p.order_id, "amount", rupiah(p.amount), "method", p.method, "bank", p.bank))
  local noted = {}
  for _, n in ipairs(life.notes) do
    local is = n.what == "attempt" and n.detail:match "^%S+ is %l+"
    if is then noted[is] = true end
  end
  for _, o in ipairs(life.operations) do
    local name = o.kind == "create" and "attempt" or o.kind
    add(o.created, 1, name, o.id .. " through " .. script(o.script, o.version) .. ": " .. facts("account", o.account, "reference", o.reference))
    local r = type(o.result) == "table" and o.result or {}
    local said = facts("tries", o.attempts > 1 and o.attempts or nil, "code", r.code, "said", r.message, "provider's code", r.provider_code)
    -- while it is open its words are in a note; the last ones are in its document
    if not noted[o.id .. " is " .. o.status] then
      add(o.updated, 2, name, o.id .. " is " .. o.status .. (said ~= "" and ": " .. said or ""))
    end
  end
  for _, c in ipairs(life.callbacks) do
    add(c.at, 3, "callback", "from " .. c.account .. ", " .. c.state .. ": " ..
      facts("money", c.money_id, "amount", c.amount and rupiah(c.amount), "answered", c.status, "bytes", c.bytes or "erased", "sha256", c.sha256:sub(1, 16)))
  end
  for _, m in ipairs(life.movements) do
    add(m.at, 4, "money", rupiah(m.amount) .. " came to " .. m.account .. " (" .. m.why .. "): " ..
      facts("id", m.money_id or "not known yet", "counts", rupiah(m.counted), "in suspense", m.held > 0 and rupiah(m.held) or nil,
        "went back", m.returned > 0 and rupiah(m.returned) or nil, "told by", m.source, "paid", stamp(m.paid_at)))
  end
  for _, e in ipairs(life.events) do
    add(e.at, 5, "event", "#" .. e.sequence .. " " .. e.type .. (e.status and ", status " .. e.status or ""))
  end
  for _, e in ipairs(life.entries) do
    add(e.at, 6, "ledger", "#" .. e.n .. " " .. e.debit .. " -> " .. e.credit .. " " .. rupiah(e.amount) .. " (" .. e.kind .. ")")
  end
  for _, r in ipairs(life.refunds) do
    add(r.created, 2, "refund", r.id .. " of " .. rupiah(r.amount) .. " by " .. r.by .. (r.reason and ": " .. r.reason or ""))
    if r.status ~= "pending" then add(r.updated, 4, "refund", r.id .. " is " .. r.status) end
  end
  for _, r in ipairs(life.reversals) do
    add(r.at, 4, "reversal", r.id .. ": " .. rupiah(r.amount) .. " was taken back" .. (r.reason and ": " .. r.reason or ""))
  end
  for _, w in ipairs(life.webhooks) do
    local came = w.state .. ", " .. facts("tries", w.tries, "answer", w.status, "error", w.error)
    -- where its format has no word for it nothing was sent, so nobody answered
    if w.state == "delivered" and not w.status then came = "not for this endpoint" end
    add(w.updated, 7, "webhook", "#" .. w.sequence .. " to " .. w.url .. ": " .. came)
  end
  for _, n in ipairs(life.notes) do
    if n.what == "attempt" then add(n.at, 2, "attempt", n.detail) else add(n.at, 8, "note", n.what .. ": " .. n.detail) end
  end
  table.sort(list, function(a, b)
    if a.at ~= b.at then return a.at < b.at end
    if a.order ~= b.order then return a.order < b.order end
    return a.n < b.n
  end)
  return list
end

local function head(p, say)
  say(p.id .. "  " .. p.status:upper() .. "  " .. rupiah(p.amount))
  local function line(name, value) if value and value ~= "" then say(string.format("  %-12s %s", name, value)) end end
  line("merchant", p.merchant)
  line("order", p.order_id)
  line("ways", facts("method", p.method, "channel", p.channel, "bank", p.bank))
  line("customer", p.person and p.person .. " (sealed)")
  line("description", type(p.doc) == "table" and p.doc.description)
  line("money", facts("due", rupiah(p.amount_due), "came", rupiah(p.received), "counts", rupiah(p.amount_paid), "refunded", rupiah(p.amount_refunded),
    "refunds under way", p.refunding > 0 and rupiah(p.refunding) or nil, "taken back", p.amount_reversed > 0 and rupiah(p.amount_reversed) or nil))
  local shown_as = type(p.instructions) == "table" and p.instructions or {}
  line("shown", facts("type", shown_as.type, "va_number", shown_as.va_number, "biller_code", shown_as.biller_code, "bill_key", shown_as.bill_key,
    "payment_code", shown_as.payment_code))
  local fee = p.fee
  if type(fee) == "table" then
    line("fee", "borne by the " .. tostring(fee.bearer) .. (p.fee_version and ", rule @" .. p.fee_version:sub(1, 12) or ""))
    for _, l in ipairs(fee.lines or {}) do line("", string.format("%-20s %s", l.name or l[1], rupiah(l.amount or l[2]))) end
  end
  local f = p.failure
  if type(f) == "table" then line("failure", facts("code", f.code, "said", f.message, "provider's code", f.provider_code)) end
  if p.status == "pending" then line("expires", p.expires_at and stamp(p.expires_at)) end
end

local function tell(life, say)
  head(life.payment, say)
  say ""
  for _, e in ipairs(timeline(life)) do say(string.format("%s  %-9s %s", stamp(e.at), e.what, e.text)) end
  local due = {}
  for _, o in ipairs(life.operations) do
  end
  for _, j in ipairs(life.due) do due[#due + 1] = { j.due_at, "job " .. j.name .. (j.error and ", last error: " .. j.error or "") } end
  if life.payment.settle_at then due[#due + 1] = { life.payment.settle_at, rupiah(life.payment.unsettled) .. " becomes available" } end
  if #due == 0 then return end
  table.sort(due, function(a, b) return a[1] < b[1] or (a[1] == b[1] and a[2] < b[2]) end)
  say ""
  say "Still due"
  for _, d in ipairs(due) do say(stamp(d[1]) .. "  " .. d[2]) end
end

return {
  api = 1, about = "Tells a payment's whole life from the store.",
  args = {
    { "payment", "text", doc = "its id, an order id, a provider's reference" },
    { "json", "flag", doc = "all of it as one JSON object" },
  },
  run = function(args, say)
    local life = gather(args.payment)
    if args.json then say(as_json(life)) else tell(life, say) end
  end,
}
