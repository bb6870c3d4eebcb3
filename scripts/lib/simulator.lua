-- scripts/lib/simulator.lua: what all simulators share: being told to misbehave, callbacks with the
-- provider's own retries, things to do later, a list of what was made, a page for a person.
-- Everything here is durable and shared by workers: it lives in ctx.store and changes by cas.
--
--   local sim = simulator.new {
--     provider = "acme", title = "Acme",
--     keys  = { "order_id" },                    what `match` may name, besides order_id
--     words = { "refused" },                     those that make sense here, besides reset; nil: all
--     retry = function(status, tried) end,       ms until a callback goes again (status 0: no answer); nil: never
--     secret_headers = function(ctx) end,        of each callback, where its own headers do not name them
--     pay   = function(ctx, ref, amount) end,    a table for the answer, or nil, status, why
--     take_back = function(ctx, match) end,      a settled payment that fits is taken back: true
--     sign  = function(ctx, cb) end,             headers of a callback that came without: made anew each time it goes
--     later = { expire = function(ctx, arg) end },
--     rows  = function(ctx) end,                 the page: { { ref =, payable =, cells = {...}, back = }, ... }
--     columns = { "order", ... } }
--   return { ..., routes = sim.routes { ["POST /v2/charge"] = function(ctx, request) ... end } }
local simulator = {}

-- Which orders a call, a callback or a payment uses up.
local CALL = { "maintenance", "server_error", "rubbish", "slow" }
local EFFECT = { "maintenance", "refused", "timeout_before_debit", "timeout_after_debit", "server_error", "rubbish", "slow" }
local CALLBACK = { "reorder", "duplicate", "wrong_signature" }
local PAYMENT = { "late", "short", "over", "deny_after_settlement" }
local OTHER = { "reset" }
local WORDS, SORTED = {}, {}
for _, list in ipairs { CALL, EFFECT, CALLBACK, PAYMENT, OTHER } do
  for _, word in ipairs(list) do
    if not WORDS[word] then SORTED[#SORTED + 1] = word end
    WORDS[word] = true
  end
end
table.sort(SORTED)

-- How simulators reach this very server: the transport of simulated mode knows the name.
simulator.HOME = "http://luwak.simulated"
simulator.SHORT_BY = 1000
simulator.SLOW_MS = 10000
simulator.LATE_BY = 3600000 -- who pays late pays behind every channel's grace
local HOLD_MS = 58000 -- of a call, from its beginning: longer than most wait, within the deadline of our own
local RELEASE_MS = 60000 -- when what was to be released goes in any case
local ORDERS_MAX, COUNT_MAX, RECENT, TRIES = 100, 1000, 50, 100

---- durable documents ----

-- change(value or nil) -> the new value, a result; no new value: nothing is written. May run often.
function simulator.update(ctx, key, change)
  for _ = 1, TRIES do
    local text, version = ctx.store.get(key)
    local value, result = change(text and json.decode(text))
    if value == nil then return result end
    local done, why, code = ctx.store.cas(key, json.encode(value), version)
    if done then return result end
    if code ~= "E_GUARD" then error(key .. ": " .. why) end
  end
  error(key .. ": others change it all the time")
end

function simulator.read(ctx, key)
  local text = ctx.store.get(key)
  return text and json.decode(text)
end

-- alter(record) changes it and returns true, or says no. The record, and whether it was altered.
function simulator.change(ctx, key, alter)
  local record
  local done = simulator.update(ctx, key, function(now)
    record = now
    if record and alter(record) then return record, true end
    return nil, false
  end)
  return record, done
end

-- What a record owed to be heard was told, whatever becomes of us; what it came to owe since was not.
function simulator.told(ctx, key, owed)
  simulator.change(ctx, key, function(now)
    if now.owes ~= owed then return false end
    now.owes = nil
    return true
  end)
end

-- The simulator of `provider` runs spec.later[name](ctx, arg) at a time of the engine's clock, also after a restart.
function simulator.later(provider, at, name, arg)
  assert(jobs.enqueue("simulator", { provider = provider, name = name, arg = arg }, { at = at }))
end

---- orders to misbehave ----

-- "inv-1" fits what the provider knows as "inv-1", or, where that was taken, as "inv-1-x7k2".
local function same(wanted, has)
  if type(has) ~= "string" then return false end -- what a caller sent before anything checked it
  return has == wanted or (#has == #wanted + 5 and has:sub(1, #wanted + 1) == wanted .. "-")
end

-- Whether all that `match` names is so.
function simulator.fits(match, facts)
  for key, wanted in pairs(match or {}) do
    if not same(wanted, facts[key]) then return false end
  end
  return true
end

-- The first order with one of the words that fits; it is used up by one (maintenance is not).
local function take(ctx, words, facts)
  local wanted = {}
  for _, word in ipairs(words) do wanted[word] = true end
  return simulator.update(ctx, "orders", function(orders)
    for i, order in ipairs(orders or {}) do
      if wanted[order.next] and simulator.fits(order.match, facts) then
        if order.next == "maintenance" then return nil, order.next end
        order.count = order.count - 1
        if order.count == 0 then table.remove(orders, i) end
        return json.array(orders), order.next
      end
    end
  end)
end

local function hold(ctx, since)
  engine.sleep(math.max(0, math.min(HOLD_MS, since + HOLD_MS - ctx.now())))
  return reply(504, "nobody waits any more")
end

-- Business time, so that the clock can be moved past it.
local function wait_ms(ctx, ms)
  local goal = ctx.now() + ms
  while ctx.now() < goal do engine.sleep(math.min(200, goal - ctx.now())) end
end

local RUBBISH = '<html><body>{"ok":tru'

-- One call of the provider's interface. what: { facts = {order_id =}, effect = it changes something,
-- refused = function() a decline end, known = function() whether the same was accepted before: then no provider
-- declines its twin for a reason of its own, broken = function() the provider's own 500 end,
-- maintenance = function() end }
function simulator.call(ctx, what, run)
  local since = ctx.now()
  local word = take(ctx, what.effect and what.refused and EFFECT or CALL, what.facts)
  if word == "maintenance" then return what.maintenance and what.maintenance() or reply(503, "maintenance") end
  if word == "server_error" then return what.broken and what.broken() or reply(500, "internal error") end
  if word == "refused" and not (what.known and what.known()) then return what.refused() end
  if word == "timeout_before_debit" then return hold(ctx, since) end
  if word == "slow" then wait_ms(ctx, simulator.SLOW_MS) end
  local answer = run()
  if word == "timeout_after_debit" then return hold(ctx, since) end
  if word == "rubbish" then return reply(200, RUBBISH, { ["Content-Type"] = "text/html" }) end
  return answer
end

-- What is told about one payment: due or what was asked for, 1,000 less, 1,000 more.
function simulator.amount(ctx, facts, due, asked)
  if asked then return asked end
  local word = take(ctx, { "short", "over" }, facts)
  if word == "short" then return math.max(1, due - simulator.SHORT_BY) end
  return word == "over" and due + simulator.SHORT_BY or due
end
function simulator.late(ctx, facts) return take(ctx, { "late" }, facts) ~= nil end
function simulator.denied(ctx, facts) return take(ctx, { "deny_after_settlement" }, facts) ~= nil end

---- the payment that a payer looks at: the demo merchant's, by its id or order id; nil: none ----

function simulator.payment(ctx, ref)
  local path = ref:find "^pay_" and "/v1/payments/" .. form.escape(ref) or "/v1/payments?limit=1&order_id=" .. form.escape(ref)
  local answer = ctx.http.get { url = simulator.HOME .. path, basic = { "sk_test_demo", "" } }
  local body = answer and answer.status == 200 and answer:json()
  local payment = body and (body.object == "list" and body.data[1] or body.object == "payment" and body)
  return type(payment) == "table" and payment or nil
end

-- What the provider knows it by: the attempt that can be paid, else the first one.
local function reference_of(payment)
  local found
  for _, attempt in ipairs(payment and payment.attempts or {}) do
    if not found or attempt.status == "pending" then found = attempt.reference end
  end
  return found
end

---- what was made, newest first ----

function simulator.remember(ctx, key)
  local n = ctx.counter "made"
  ctx.store.put("made " .. n, key)
  ctx.store.put("latest", tostring(n)) -- a hint: of two at once either may win
  return n
end

function simulator.recent(ctx)
  local keys, n = {}, tonumber((ctx.store.get "latest") or "0") + 8
  while n > 0 and #keys < RECENT do
    keys[#keys + 1] = ctx.store.get("made " .. n)
    n = n - 1
  end
  return keys
end

---- a QRIS code that reads ----

local function tlv(id, value) return ("%s%02d%s"):format(id, #value, value) end

-- acquirer: tag 26, of { domain, PAN, merchant's id }.
function simulator.qr(acquirer, amount, n)
  local text = tlv("00", "01") .. tlv("01", "12")
    .. tlv("26", tlv("00", acquirer[1]) .. tlv("01", acquirer[2]) .. tlv("02", acquirer[3]) .. tlv("03", "UKE"))
    .. tlv("52", "5399") .. tlv("53", "360") .. tlv("54", tostring(amount)) .. tlv("58", "ID") .. tlv("59", "Toko Simulator")
    .. tlv("60", "Jakarta") .. tlv("61", "10110") .. tlv("62", tlv("05", ("S%012d"):format(n)) .. tlv("07", "A01")) .. "6304"
  return text .. ("%04X"):format(crypto.crc16(text))
end

-- This server under the address it has today is this server also after it was started anew.
function simulator.lasting(url) return (url:gsub("^http://127%.0%.0%.1:%d+/", simulator.HOME .. "/")) end

---- a page for a person ----

local HTML = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;", ["'"] = "&#39;" }
local function escape(value) return (tostring(value):gsub("[&<>\"']", HTML)) end

local PAGE = [[<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>%s</title>
<style>body{font:15px system-ui;margin:2em auto;max-width:70em;padding:0 1em}table{border-collapse:collapse;width:100%%}
td,th{padding:.4em .6em;text-align:left;border-bottom:1px solid #ddd}button{cursor:pointer;font:inherit;padding:.5em 1.2em}
#said{white-space:pre-wrap;overflow-wrap:anywhere}
@media(max-width:45em){thead{display:none}tr{display:block;border:1px solid #ddd;border-radius:8px;margin:0 0 1em;padding:.4em}
td{display:flex;justify-content:space-between;gap:1em;border:0;overflow-wrap:anywhere}td:empty{display:none}
td[data-label]::before{content:attr(data-label);color:#666}td button{width:100%%}}</style>
<h1>%s</h1><p>A stand-in for the provider: its books, and a person who pays.
<code>POST _control</code> tells it to misbehave: %s.</p>
<p><label>misbehave next <select id="next"><option></option>%s</select></label> <output id="said"></output></p>
<table><thead><tr>%s<th></th></tr></thead><tbody>%s</tbody></table>
<script>
const said = document.getElementById('said'), next = document.getElementById('next')
async function tell (what) {
  const r = await fetch('/sandbox/%s/_control', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(what) })
  said.textContent = await r.text()
  return r.ok
}
next.onchange = () => next.value && tell({ next: next.value })
for (const b of document.querySelectorAll('button')) b.onclick = async () => { if (await tell({ pay: b.value })) b.dataset.back ? location = b.dataset.back : location.reload() }
</script>]]

local function page(spec, rows)
  local heads, lines, options = {}, {}, {}
  for i, name in ipairs(spec.columns) do heads[i] = "<th>" .. escape(name) .. "</th>" end
  for i, word in ipairs(spec.words) do options[i] = "<option>" .. word .. "</option>" end
  for i, row in ipairs(rows) do
    local cells = {}
    for k, cell in ipairs(row.cells) do cells[k] = ('<td data-label="%s">%s</td>'):format(escape(spec.columns[k]), escape(cell)) end
    local button = row.payable and ('<button value="%s" data-back="%s">pay</button>'):format(escape(row.ref), escape(row.back or "")) or ""
    lines[i] = "<tr>" .. table.concat(cells) .. "<td>" .. button .. "</td></tr>"
  end
  return reply(200, PAGE:format(escape(spec.title), escape(spec.title), table.concat(spec.words, ", "),
    table.concat(options), table.concat(heads), table.concat(lines, "\n"), spec.provider),
    { ["Content-Type"] = "text/html; charset=utf-8" })
end

---- the control ----

local function bad(field, why)
  return reply(400, json.encode { type = "/docs/errors#INVALID_REQUEST", title = "The request is not valid", status = 400, code = "INVALID_REQUEST",
    param = field, detail = (field and field .. ": " or "") .. why }, { ["Content-Type"] = "application/problem+json" })
end

local FIELDS = { next = true, count = true, match = true, pay = true, amount = true }

local function text_ok(value) return type(value) == "string" and #value >= 1 and #value <= 200 end
local function number_ok(value, max) return math.type(value) == "integer" and value >= 1 and value <= max end

-- What is to be done later is done with these of its fields.
local NEEDED = { id = "string", ref = "string", reference = "string", key = "string", url = "string", body = "string", va_number = "string",
  amount = "integer", n = "integer", tried = "integer", facts = "table" }
local CALLBACK_NEEDS = { "id", "url", "body", "tried" }

local function unfit(arg, needs)
  if type(arg) ~= "table" then return "arg", "expected an object" end
  for _, name in ipairs(needs) do
    local value = arg[name]
    local good = value ~= json.null and (math.type(value) or type(value)) == NEEDED[name] and value ~= ""
    if good and NEEDED[name] == "integer" then good = value >= 0 and value <= 1000000000000 end
    if good and type(value) == "string" and name ~= "body" then good = #value <= 2000 and not value:find "%c" end
    if good and name == "url" then good = value:find "^https?://[^/%s]" end
    if not good then return "arg." .. name, "expected " .. (NEEDED[name] == "table" and "an object" or "a fitting " .. NEEDED[name]) end
  end
  if arg.headers ~= nil and type(arg.headers) ~= "table" then return "arg.headers", "expected an object" end
  for _, value in pairs(arg.headers or {}) do
    if type(value) ~= "string" then return "arg.headers", "expected texts" end
  end
end

local function wrong(spec, want)
  if type(want) ~= "table" or #want > 0 then return nil, "expected an object with next or pay" end
  for name in sorted(want) do
    if not FIELDS[name] then return name, "there is no such field; next, count, match, pay, amount" end
  end
  if want.next == nil and want.pay == nil then return "next", "say next or pay" end
  if want.next ~= nil and want.pay ~= nil then return "pay", "next and pay exclude each other" end
  if want.pay ~= nil then
    if not text_ok(want.pay) then return "pay", "expected a reference, an order id or a payment id" end
    if want.amount ~= nil and not number_ok(want.amount, 1000000000000) then return "amount", "expected a positive integer" end
    for _, name in ipairs { "count", "match" } do
      if want[name] ~= nil then return name, "goes with next only" end
    end
    return
  end
  if want.amount ~= nil then return "amount", "goes with pay only" end
  if not spec.known[want.next] then
    local why = WORDS[want.next] and want.next .. " makes no sense here; " or ""
    return "next", why .. "expected one of " .. table.concat(spec.words, ", ")
  end
  if want.count ~= nil and not number_ok(want.count, COUNT_MAX) then return "count", "expected an integer from 1 to 1000" end
  if want.match == nil then return end
  if type(want.match) ~= "table" or #want.match > 0 then return "match", "expected an object" end
  for name, value in sorted(want.match) do
    local known = name == "order_id"
    for _, key in ipairs(spec.keys or {}) do known = known or key == name end
    if not known then return "match." .. tostring(name), "there is no such key" end
    if not text_ok(value) then return "match." .. name, "expected a text" end
  end
end

---- one provider's simulator ----

function simulator.new(spec)
  spec.known, spec.retry = { reset = true }, spec.retry or function() end
  for _, word in ipairs(spec.words or SORTED) do spec.known[word] = true end
  spec.words = {}
  for word in sorted(spec.known) do spec.words[#spec.words + 1] = word end
  local sim = { call = simulator.call, amount = simulator.amount, late_word = simulator.late, denied = simulator.denied,
    remember = simulator.remember, recent = simulator.recent, update = simulator.update, read = simulator.read }

  function sim.later(_, at, name, arg) simulator.later(spec.provider, at, name, arg) end

  -- A secret is never written down, so headers that hold one are put on as it goes.
  local function post(ctx, cb)
    local made, why = cb.headers
    if not made then made, why = spec.sign(ctx, cb) end
    local headers, answer = {}, nil
    for name, value in pairs(spec.secret_headers and spec.secret_headers(ctx) or {}) do headers[name] = value end
    for name, value in pairs(made or {}) do headers[name] = value end
    if made then answer, why = ctx.http.post { url = cb.url, headers = headers, body = cb.body, timeout = "15s" } end
    return { url = cb.url, status = answer and answer.status, error = why, body = cb.body }
  end

  -- Sends once. That it goes again is on disk before: a provider does not forget because the one it
  -- calls has died. "told ID": it need not.
  local function send(ctx, cb, first, kept)
    local wait, id = spec.retry(0, cb.tried), crypto.uuid()
    if wait then
      sim.later(ctx, ctx.now() + wait, "callback",
        { id = id, url = cb.url, headers = cb.headers, scheme = cb.scheme, body = cb.body, tried = cb.tried + 1 })
    end
    if kept then kept() end
    local said = post(ctx, first or cb)
    local status = said.status or 0
    if status >= 200 and status < 300 or not spec.retry(status, cb.tried) then
      if wait then ctx.store.put("told " .. id, "") end
    else
      said.again_in_ms = wait
    end
    return said
  end

  local function send_again(ctx, cb)
    if not ctx.store.get("told " .. cb.id) then send(ctx, cb) end
  end

  -- That they go is on disk before they are held no more, as in `send`.
  local function release(ctx)
    local ids
    local held = simulator.update(ctx, "held", function(list)
      if not list or #list == 0 then return end
      ids = {}
      for i, cb in ipairs(list) do
        ids[i] = crypto.uuid()
        sim.later(ctx, ctx.now() + RELEASE_MS, "callback", { id = ids[i], url = cb.url, headers = cb.headers, scheme = cb.scheme, body = cb.body, tried = 0 })
      end
      return json.array {}, list
    end)
    local all = json.array {}
    for i, cb in ipairs(held or {}) do
      all[#all + 1] = send(ctx, cb, nil, function() ctx.store.put("told " .. ids[i], "") end)
    end
    return all
  end

  -- cb: { url, headers (or scheme, for spec.sign), body, facts, spoil = function() headers, body of a wrong signature end,
  --       kept = function() end: called when it cannot be lost any more }
  -- Returns what became of it, one entry per request that went.
  function sim.callback(ctx, cb)
    local keep = { url = cb.url, headers = cb.headers, scheme = cb.scheme, body = cb.body, tried = 0 }
    local word = take(ctx, CALLBACK, cb.facts)
    if word == "reorder" then
      simulator.update(ctx, "held", function(list)
        list = list or {}
        list[#list + 1] = keep
        return json.array(list)
      end)
      if cb.kept then cb.kept() end
      return json.array {}
    end
    local spoiled
    if word == "wrong_signature" then
      local headers, body = cb.spoil()
      spoiled = { url = cb.url, headers = headers, body = body }
    end
    local said = json.array { send(ctx, keep, spoiled, cb.kept) }
    if word == "duplicate" then said[2] = post(ctx, keep) end
    for _, more in ipairs(release(ctx)) do said[#said + 1] = more end
    return said
  end

  local function pay(ctx, want)
    local made, status, why = spec.pay(ctx, want.pay, want.amount)
    local reference = status == 404 and want.pay:find "^pay_" and reference_of(simulator.payment(ctx, want.pay))
    if reference then made, status, why = spec.pay(ctx, reference, want.amount) end
    if made then return reply(200, made) end
    if status == 400 then return bad("amount", why) end
    if status == 404 then return bad("pay", why or "nothing bears this reference") end
    return reply(status, { code = "INVALID_STATE", detail = why })
  end

  local function order(ctx, want)
    if want.next == "reset" then
      simulator.update(ctx, "orders", function() return json.array {} end)
      return reply(200, { orders = json.array {}, released = #release(ctx) })
    end
    if want.next == "deny_after_settlement" and want.match and spec.take_back and spec.take_back(ctx, want.match) then
      return reply(200, { taken_back = want.match })
    end
    local full, orders = false, nil
    simulator.update(ctx, "orders", function(list)
      list = list or {}
      full, orders = #list >= ORDERS_MAX, list
      if full then return end
      list[#list + 1] = { next = want.next, count = want.count or 1, match = want.match }
      return json.array(list)
    end)
    if full then return bad("next", "100 orders wait already; say reset") end
    return reply(200, { orders = json.array(orders) })
  end

  local function control(ctx, request)
    local want = json.decode(request.body)
    local field, why = wrong(spec, want)
    if why then return bad(field, why) end
    if want.pay then return pay(ctx, want) end
    return order(ctx, want)
  end

  -- From the job "simulator", at least once: a crash in between does it again, as a provider would.
  local function due(ctx, request)
    local what = json.decode(request.body)
    local run = type(what) == "table" and (what.name == "callback" and send_again or spec.later[what.name])
    if not run then return bad("name", "there is no such thing to do later") end
    local field, why = unfit(what.arg, what.name == "callback" and CALLBACK_NEEDS or spec.needs and spec.needs[what.name] or {})
    if field then return bad(field, why) end
    run(ctx, what.arg)
    return reply(200, { done = true })
  end

  -- What waits to be told, as it would go now, but for headers that are a secret themselves.
  local function held(ctx)
    local list = json.array {}
    for i, cb in ipairs(simulator.read(ctx, "held") or {}) do
      list[i] = { url = cb.url, headers = cb.headers or spec.sign(ctx, cb), body = cb.body }
    end
    return reply(200, { held = list })
  end

  -- The same for bytes that a test made of one of them: a provider's proof says nothing about what is in it.
  local function prove(ctx, request)
    local want = json.decode(request.body)
    for _, cb in ipairs(type(want) == "table" and simulator.read(ctx, "held") or {}) do
      if spec.prove and cb.url == want.url and type(want.body) == "string" then
        return reply(200, { headers = spec.prove(ctx, { url = want.at or cb.url, scheme = cb.scheme, body = want.body }) })
      end
    end
    return reply(404, { code = "NOT_FOUND", detail = "no callback for that address waits, or its body is not proven" })
  end

  function sim.page(rows) return page(spec, rows) end

  function sim.routes(routes)
    routes["POST /_control"] = control
    routes["POST /_due"] = due
    routes["GET /_held"] = held
    routes["POST /_held"] = prove
    routes["GET /"] = function(ctx) return sim.page(spec.rows(ctx)) end
    return routes
  end

  return sim
end

return simulator
