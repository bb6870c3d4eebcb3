-- scripts/lib/play.lua: plays, tests that read like a story. A play is a text: lines that begin with
-- "> " are what somebody does, the lines below each are what it came to, all of it: the answer, and
-- whatever was heard, told and booked meanwhile. Both are compared line by line, so a play fails when
-- one line is another. It runs on the whole engine with a store in memory, a clock of its own, the
-- real channels and their simulators.
--
--   local play = require "play"
--   return play { ["paid and refunded"] = [[
--   > create 50000 {"method":"qris"}
--   201 pending: due 50000, paid 0, midtrans_qris pending, shown qr 00020... 181
--   event payment.created
--   > pay
--   ... ]] }
--
-- Plays of several channels leave open what differs, `$shown`, `$bank`, and are given it: play({ ... }, "doku",
-- { doku_dana = { shown = "redirect ..." } }) by channel, whose name is `$channel`; or as a list with names,
-- { { name = "bca", bank = "bca" }, ... }.
--
--   > create AMOUNT JSON            POST /v1/payments; the order is o-1, then o-2
--   > again                         the same request once more
--   > show | sync | cancel          of the newest payment
--   > refund AMOUNT [JSON]          each with a key of its own
--   > next WORD [COUNT] [o-N]       the provider's simulator misbehaves, with this order only
--   > void                        on Midtrans' dashboard somebody cancels what a card brought today
--   > decline                     on Midtrans' page the bank says no to a card; the payer may try again
--   > choose WAY                    the payer chooses at the checkout: qris, virtual_account.bca, ...
--   > pay [AMOUNT] [o-N]            somebody pays, as far as the provider lets him
--   > pay way N                     by the Nth way that was shown
--   > wait TIME                     the clock goes on; all that falls due runs
--   > sleep TIME                    time passes, for what waits for an answer too
--   > account [JSON] | close        a number that stays is given out; closed
--   > transfer AMOUNT               somebody pays into it
--   > payments                      all there are, newest first
--   > hook                          from here on the shop hears of events, and checks their signature
--   > balance
-- What comes without being asked: "heard" callbacks, "payment" when it is another than before,
-- "event" what webhooks carry, "webhook" how telling of it went (after > hook), "books" entries of the ledger, "refund" when one moves, "held" money in suspense.
local HOME = "http://luwak.simulated"

local function ask(method, path, body, key)
  local answer, why = (method == "GET" and http.get or http.post) { url = HOME .. path, basic = { "sk_test_demo", "" }, timeout = "30s",
    json = body, headers = key and { ["Idempotency-Key"] = key } or nil }
  if not answer then return { status = 0, body = why, json = function() return {} end } end
  return answer
end

---- how things are said ----

local SHOWN = { va_number = { "va_number" }, bill = { "biller_code", "bill_key" }, qr = { "qr_string" }, redirect = { "redirect_url" },
  retail = { "outlet", "payment_code" }, push = { "message" } }

-- Long texts by their beginning and length: ids and hosts are not the play's business.
local function short(text)
  text = tostring(text):gsub("^https?://[^/]+", "")
  return #text > 12 and text:sub(1, 5) .. "... " .. #text or text
end

local function shown(i)
  if type(i) ~= "table" then return "nothing" end
  local words = { i.type }
  for _, name in ipairs(SHOWN[i.type] or {}) do words[#words + 1] = type(i[name]) == "userdata" and "no " .. name or short(i[name]) end
  return table.concat(words, " ")
end

local function state(p)
  local words = { ("%s: due %d, paid %d"):format(p.status, p.amount_due, p.amount_paid) }
  if p.amount_refunded > 0 then words[#words + 1] = "refunded " .. p.amount_refunded end
  if p.amount_reversed > 0 then words[#words + 1] = "reversed " .. p.amount_reversed end
  if type(p.failure) == "table" then words[#words + 1] = "failure " .. p.failure.code end
  for _, attempt in ipairs(p.attempts) do words[#words + 1] = attempt.channel .. " " .. attempt.status end
  return table.concat(words, ", ")
end

local function problem(answer)
  if answer.status == 0 then return "no answer within 30 s" end
  local body = answer:json()
  if type(body) ~= "table" or not body.code then return tostring(answer.status) end
  return answer.status .. " " .. body.code .. (body.param and " " .. body.param or "")
end

---- what came without being asked ----

local function rows(sql, ...) return assert(store.select(sql, ...)) end

local HEARD = "SELECT id, account, state, status, coalesce(amount, 0) AS amount FROM inbox WHERE id > ? ORDER BY id"
local BOOKED = "SELECT e.n AS id, d.name AS debit, c.name AS credit, e.amount, e.kind FROM ledger_entry e "
  .. "JOIN ledger_account d ON d.n = e.debit JOIN ledger_account c ON c.n = e.credit WHERE e.n > ? ORDER BY e.n"
local TOLD = "SELECT d.sequence, e.type, d.state, coalesce(d.status, 0) AS status, d.tries FROM delivery d JOIN endpoint p ON p.id = d.endpoint "
  .. "JOIN topic t ON t.name = p.merchant JOIN event e ON e.topic = t.id AND e.sequence = d.sequence ORDER BY d.sequence"
local REFUNDS = "SELECT id, status, amount FROM refund ORDER BY n"
local HELD = "SELECT id, why, held FROM movement WHERE held > 0 ORDER BY id"
local TOTAL = "SELECT sum(debits) - sum(credits) AS off FROM ledger_account"

local function name(account) return (account:gsub("mer_%w+", "merchant")) end

local function meanwhile(w)
  engine.sleep "1s" -- what was begun by then comes to its end
  for _, r in ipairs(rows(HEARD, w.inbox)) do
    w.inbox = r.id
    w.say(("heard %s: %s %s"):format(r.account:match "^[^:/]+", r.state, r.status or "-"))
  end
  if w.payment then
    local now = state(ask("GET", "/v1/payments/" .. w.payment):json())
    if now ~= w.was then w.say("payment " .. now) end
    w.was = now
  end
  for _, r in ipairs(rows(REFUNDS)) do
    local now = ("refund %s %d"):format(r.status, r.amount)
    if w.refunds[r.id] ~= now then w.say(now) end
    w.refunds[r.id] = now
  end
  for _, e in ipairs(ask("GET", "/v1/events?limit=100&after=" .. w.events):json().data) do
    w.events = e.sequence
    w.say("event " .. e.type)
  end
  for _, r in ipairs(rows(TOLD)) do
    local now = ("webhook %s: %s %d"):format(r.type, r.state, r.status)
    if w.told[r.sequence] ~= now then w.say(now) end
    w.told[r.sequence] = now
  end
  for _, r in ipairs(rows(BOOKED, w.entries)) do
    w.entries = r.id
    w.say(("books %d %s: %s -> %s"):format(r.amount, r.kind, name(r.debit), name(r.credit)))
  end
  for _, r in ipairs(rows(HELD)) do
    if w.held[r.id] ~= r.held then w.say(("held %d: %s"):format(r.held, r.why)) end
    w.held[r.id] = r.held
  end
  if rows(TOTAL)[1].off ~= 0 then w.say "THE LEDGER DOES NOT BALANCE" end
end

---- what is done ----

local STEPS = {}

local function control(w, what)
  return http.post { url = HOME .. "/sandbox/" .. w.provider .. "/_control", json = what, timeout = "30s" }
end

function STEPS.again(w)
  local answer = ask("POST", "/v1/payments", w.request, w.request.order_id)
  local p = answer:json()
  if p.object ~= "payment" then return problem(answer) end
  local replayed = answer.headers["idempotent-replayed"] and " as before" or ""
  return answer.status .. replayed .. " " .. state(p) .. ", shown " .. shown(p.instructions), p
end

function STEPS.create(w, rest)
  local amount, more = rest:match "^(%d+) ?(.*)$"
  w.orders = w.orders + 1
  w.request = json.decode(more ~= "" and more or "{}")
  w.request.order_id, w.request.amount = "o-" .. w.orders, math.tointeger(tonumber(amount))
  local said, p = STEPS.again(w)
  if p then
    w.payment, w.was = p.id, state(p)
    w.provider = p.attempts[1] and p.attempts[#p.attempts].channel:match "^%a+" or w.provider
  end
  return said
end

function STEPS.show(w)
  local p = ask("GET", "/v1/payments/" .. w.payment):json()
  return state(p) .. ", shown " .. shown(p.instructions)
end

local function act(what)
  return function(w)
    local answer = ask("POST", "/v1/payments/" .. w.payment .. "/" .. what)
    return answer.status == 200 and "200 " .. answer:json().status or problem(answer)
  end
end
STEPS.sync, STEPS.cancel = act "sync", act "cancel"

function STEPS.refund(w, rest)
  local amount, more = rest:match "^(%d+) ?(.*)$"
  local body = json.decode(more ~= "" and more or "{}")
  body.amount = math.tointeger(tonumber(amount))
  w.keys = w.keys + 1
  local answer = ask("POST", "/v1/payments/" .. w.payment .. "/refunds", body, "r-" .. w.keys)
  local r = answer:json()
  return r.object == "refund" and ("%d %s %d"):format(answer.status, r.status, r.amount) or problem(answer)
end

function STEPS.next(w, rest)
  local word, order = rest:match "^%S+", rest:match " (o%-%d+)$"
  return problem(control(w, { next = word, count = math.tointeger(tonumber(rest:match "^%S+ (%d+)")), match = order and { order_id = order } }))
end

function STEPS.void(w)
  local answer = http.post { url = HOME .. "/sandbox/midtrans/v2/" .. w.request.order_id .. "/cancel", basic = { "SB-Mid-server-demo", "" } }
  return "said " .. answer:json().status_code
end

function STEPS.decline(w)
  local answer = http.post { url = HOME .. "/sandbox/midtrans/snap/decline", json = { order_id = w.request.order_id } }
  return ("%d declined, %d callbacks"):format(answer.status, #answer:json().callbacks)
end

function STEPS.choose(w, rest)
  local answer = http.post { url = HOME .. "/pay/" .. w.payment:sub(5), form = { way = rest }, timeout = "30s" }
  local p = ask("GET", "/v1/payments/" .. w.payment):json()
  w.was = state(p)
  return answer.status .. " " .. w.was .. ", shown " .. shown(p.instructions)
end

function STEPS.pay(w, rest)
  local way = math.tointeger(tonumber(rest:match "^way (%d+)$"))
  local order = rest:match "o%-%d+" or w.request.order_id
  if way then
    local attempt = ask("GET", "/v1/payments/" .. w.payment):json().attempts[way]
    order, w.provider, rest = attempt.reference, attempt.channel:match "^%a+", ""
  end
  local answer = control(w, { pay = order, amount = math.tointeger(tonumber(rest:match "^%d+")) })
  local said = answer:json()
  if answer.status ~= 200 then return problem(answer) end
  local words = { said.pays_at and "200 pays later" or "200 paid " .. said.amount }
  for _, callback in ipairs(said.callbacks or {}) do words[#words + 1] = "callback " .. tostring(callback.status or callback.error) end
  return table.concat(words, ", ")
end

function STEPS.wait(w, rest)
  w.t.clock.advance(rest)
  return ""
end

function STEPS.sleep(_, rest)
  engine.sleep(rest)
  return ""
end

function STEPS.hook()
  local made = ask("POST", "/v1/webhook_endpoints", { url = HOME .. "/sandbox/shop/hook" })
  if made.status ~= 201 then return problem(made) end
  http.post { url = HOME .. "/sandbox/shop/secret", text = made:json().secret }
  return "201 " .. made:json().status
end

function STEPS.account(w, rest)
  local answer = ask("POST", "/v1/virtual_accounts", json.decode(rest ~= "" and rest or "{}"), "va-" .. w.keys)
  w.keys = w.keys + 1
  local v = answer:json()
  if v.object ~= "virtual_account" then return problem(answer) end
  w.account, w.number, w.provider = v.id, v.va_number, v.channel:match "^%a+"
  return ("%d %s, %s %s"):format(answer.status, v.status, v.bank, short(v.va_number))
end

function STEPS.close(w)
  local answer = ask("POST", "/v1/virtual_accounts/" .. w.account .. "/close")
  return answer.status == 200 and "200 " .. answer:json().status or problem(answer)
end

function STEPS.transfer(w, rest)
  local answer = control(w, { pay = w.number, amount = math.tointeger(tonumber(rest)) })
  local said = answer:json()
  if answer.status ~= 200 then return problem(answer) end
  local words = { "200 paid " .. said.amount }
  for _, callback in ipairs(said.callbacks or {}) do words[#words + 1] = "callback " .. tostring(callback.status or callback.error) end
  return table.concat(words, ", ")
end

function STEPS.payments()
  local lines = {}
  for _, p in ipairs(ask("GET", "/v1/payments?limit=100"):json().data) do lines[#lines + 1] = state(p) end
  return #lines > 0 and table.concat(lines, "\n") or "none"
end

function STEPS.balance()
  local b = ask("GET", "/v1/balance"):json()
  return ("available %d, pending %d, held %d"):format(b.available, b.pending, b.held)
end

---- a play ----

local function split(text)
  local all = {}
  for line in text:gmatch "[^\n]+" do
    line = line:match "^%s*(.-)%s*$"
    if line ~= "" then all[#all + 1] = line end
  end
  return all
end

local function run(t, provider, text)
  local expected, got = split(text), {}
  local w = { t = t, provider = provider, orders = 0, keys = 0, inbox = 0, events = 0, refunds = {}, held = {}, told = {},
    entries = rows("SELECT coalesce(max(n), 0) AS n FROM ledger_entry")[1].n }
  function w.say(line) got[#got + 1] = line end
  for _, line in ipairs(expected) do
    local word, rest = line:match "^> (%S+) ?(.*)$"
    if word then
      if not STEPS[word] then t.fail("there is no step " .. word) end
      w.say(line)
      local answer = STEPS[word](w, rest)
      for said in answer:gmatch "[^\n]+" do w.say(said) end
      meanwhile(w)
    end
  end
  for i = 1, math.max(#got, #expected) do
    if got[i] ~= expected[i] then
      t.fail(("line %d of the play: expected %s\n  but it came to this:\n%s"):format(i, expected[i] or "its end", table.concat(got, "\n")))
    end
  end
end

local function by_name(fillings)
  if not fillings then return { {} } end
  if fillings[1] then return fillings end
  local list = {}
  for channel, parts in pairs(fillings) do
    local with = { name = channel, channel = channel }
    for word, text in pairs(parts) do with[word] = text end
    list[#list + 1] = with
  end
  return list
end

-- One function per play; what speaks of no channel yet misbehaves at this provider. With fillings each
-- play is played for each of them, $name and the like being what it says there.
return function(plays, provider, fillings)
  local tests = {}
  for title, text in pairs(plays) do
    for _, with in ipairs(by_name(fillings)) do
      local full = with.name and title .. ": " .. with.name or title
      local filled = text:gsub("%$(%a+)", with)
      tests[full] = function(t) run(t, provider or "midtrans", filled) end
    end
  end
  return { tests = tests }
end
