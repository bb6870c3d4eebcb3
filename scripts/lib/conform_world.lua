-- scripts/lib/conform_world.lua: what the checks of scripts/lib/conform.lua do to a channel and see of it:
-- a merchant who asks, a simulator that is told, the clock, the books. One world per check.
local world = {}

local HOME = "http://luwak.simulated"
local SECOND, MINUTE, DAY = 1000, 60000, 86400000

-- Customers whose data must not turn up in a log; another one each time, for rules that count.
local CANARIES = { "Kanari Rahasia", "kanari.rahasia", "0812987600" }
local function customer(n)
  return { name = CANARIES[1], email = ("%s%d@shop.example"):format(CANARIES[2], n), phone = ("%s%02d"):format(CANARIES[3], n % 100) }
end

-- What a create request says for a field that a channel asks for and gives no example of.
local ADDRESS = { first_name = "Siti", last_name = "Aminah", address = "Jalan Kopi 1", city = "Bandung", postal_code = "40111", phone = "081234567890",
  country_code = "IDN" }
local SAMPLES = { phone = "081234567890", cashtag = "$kanari", tenor = 3, shipping_address = ADDRESS }
local BY_TYPE = { string = "sample", integer = 1, boolean = true, object = json.object {}, list = json.array {} }

local World = {}
World.__index = World

function world.new(t, name)
  local path = "channels/" .. name .. ".lua"
  local m = t.load(path)
  local w = setmetatable({ t = t, name = name, path = path, m = m, orders = 0, keys = 0 }, World)
  local limits = m.limits or {}
  w.amount = math.max(limits.min or 1, math.min(limits.max or 150000, 150000))
  w.offer = m.effect == "offer"
  w.asks = type(m.inquire) == "function" and next(m.hosts or {}) ~= nil
  w.hears = (m.notify ~= nil or next(m.routes or {}) ~= nil) and not (m.docs and m.docs.callbacks == "none")
  w.remote = next(m.hosts or {}) ~= nil
  return w
end

---- failing ----

function World:fail(why, ...) self.t.fail(why:format(...)) end

function World:expect(good, why, ...)
  if not good then self:fail(why, ...) end
end

---- the merchant ----

function World:ask(method, path, body, key)
  local answer, why = (method == "GET" and http.get or http.post) { url = HOME .. path, basic = { self.user or "sk_test_demo", "" }, timeout = "30s",
    json = body, headers = key and { ["Idempotency-Key"] = key } or nil }
  if not answer then return { status = 0, body = why, headers = {}, json = function() return {} end } end
  return answer
end

-- Runs as the other merchant.
World.OTHER = "mer_limited"
function World:as_other(run)
  self.user = "sk_test_limited"
  local result = run()
  self.user = nil
  return result
end

function World:options()
  local options
  for name, field in pairs(self.m.input or {}) do
    local value = field.example
    if value == nil and field.required then value = SAMPLES[name] or BY_TYPE[field.type or "string"] end
    if value ~= nil and name ~= "customer" and name ~= "return_urls" and name ~= "items" and name ~= "description" and name ~= "expires_in" then
      options = options or {}
      options[name] = value
    end
  end
  return options
end

-- A create request; `more` overrides. The payment, the answer.
function World:create(more)
  self.orders = self.orders + 1
  local amount = more and more.amount or self.amount
  local body = { order_id = "cf-" .. self.orders, amount = amount, channel = self.name, method = self.m.method, options = self:options(),
    customer = customer(self.orders), description = "Order " .. self.orders, items = { { id = "i-1", name = "Thing", price = amount, quantity = 1 } },
    return_urls = { success = "https://shop.example/success", failure = "https://shop.example/failure" } }
  for name, value in pairs(more or {}) do body[name] = value end
  self.request = body
  local answer = self:ask("POST", "/v1/payments", body)
  return answer:json() or {}, answer
end

-- An open payment: it waits for its payer, or is paid already where the call itself takes the money.
function World:open(more)
  local p, answer = self:create(more)
  self:expect(answer.status == 201 or answer.status == 200, "create: %d %s", answer.status, answer.body)
  if self.offer then
    self:expect(p.status == "pending", "create: expected pending, it is %s: %s", p.status, answer.body)
  else
    self:expect(p.status == "pending" or p.status == "processing" or p.status == "success", "create: expected an open payment, it is %s: %s",
      p.status, answer.body)
  end
  return p
end

function World:show(p) return self:ask("GET", "/v1/payments/" .. p.id):json() end

function World:events(p)
  local said = {}
  for _, e in ipairs(self:ask("GET", "/v1/payments/" .. p.id .. "/events"):json().data) do said[e.type] = (said[e.type] or 0) + 1 end
  return said
end

function World:post(p, what, body)
  self.keys = self.keys + 1
  local answer = self:ask("POST", "/v1/payments/" .. p.id .. "/" .. what, body, "cf-key-" .. self.keys)
  return answer, answer:json() or {}
end

---- the simulator ----

function World:control(what)
  return http.post { url = HOME .. "/sandbox/" .. self.m.provider .. "/_control", json = what, timeout = "30s" }
end

-- The simulator shall misbehave next. False: it does not know the word.
function World:tell(word, match)
  local answer = self:control { next = word, match = match }
  if answer and answer.status == 400 then return false end
  self:expect(answer and answer.status == 200, "_control %s: %s", word, answer and answer.body)
  return true
end

-- Somebody pays what the order is shown, or `amount`. What the simulator says, its status.
function World:try_pay(order_id, amount)
  local answer, why = self:control { pay = order_id or self.request.order_id, amount = amount }
  self:expect(answer, "_control pay: %s", why)
  engine.sleep "1s" -- what was begun by then comes to its end
  return answer:json() or {}, answer.status
end

function World:pay(order_id)
  local said, status = self:try_pay(order_id)
  self:expect(status == 200, "nobody can pay it at the simulator: %d %s", status, json.encode(said))
  return said
end

-- Every callback of a `pay` was taken.
function World:taken(said, what)
  for _, callback in ipairs(said.callbacks or {}) do
    self:expect(callback.status and callback.status >= 200 and callback.status < 300, "%s: our answer to the callback is %s: %s", what or "pay",
      tostring(callback.status or callback.error), tostring(callback.answer or ""))
  end
end

-- Callbacks that the simulator keeps back (the word "reorder"): { url, headers, body } each.
function World:kept_back()
  local answer = http.get { url = HOME .. "/sandbox/" .. self.m.provider .. "/_held" }
  return answer and answer.status == 200 and answer:json().held or {}
end

-- The headers by which the provider would prove another body, or the same at another address, as it does the
-- callback that it keeps back for `url`; nil: it cannot, or what it says proves nothing about the body.
function World:proof(url, body, at)
  if #body > 400000 or not utf8.len(body) then return nil end -- the control speaks JSON of 1 MB
  local answer = http.post { url = HOME .. "/sandbox/" .. self.m.provider .. "/_held", json = { url = url, body = body, at = at }, timeout = "30s" }
  return answer and answer.status == 200 and answer:json().headers or nil
end

-- Callbacks that went to us since `from` (a count of requests), as they were sent.
function World:callbacks(from)
  local list, all = {}, self.t.http.requests()
  for i = (from or 0) + 1, #all do
    local r = all[i]
    local path = r.url:match "^http://luwak%.simulated(/.*)$" or r.url:match "^http://127%.0%.0%.1:%d+(/.*)$"
    if path and not path:find "^/v1/" and not path:find "^/sandbox/" then list[#list + 1] = r end
  end
  return list
end

function World:sent() return #self.t.http.requests() end

---- time ----

function World:wait(ms) self.t.clock.advance(ms .. "ms") end

-- Until it has one of the statuses: asked at once, then at longer and longer waits.
function World:reach(p, status, within)
  local waited, step = 0, MINUTE
  while true do
    engine.sleep "1s"
    local now = self:show(p)
    if now.status == status then return now end
    if waited > (within or DAY) then
      self:fail("it should come to %s within %d min, it is %s: %s", status, (within or DAY) // MINUTE, now.status, json.encode(now.attempts))
    end
    if waited == 0 then engine.sleep "90s" else self:wait(step) end -- first, a call without an answer is given up
    waited, step = waited + step, step * 2
  end
end

function World:until_end(p) -- its expiry, and what is done behind it
  local ends = p.expires_at and p.expires_at ~= json.null and time.parse(p.expires_at)
  self:expect(ends, "it has no expires_at")
  self:wait(ends - self.t.clock.now() + SECOND)
  return ends
end

---- the books ----

local function one(sql, ...) return assert(store.select(sql, ...))[1].n end

local CAME = "SELECT coalesce(sum(amount), 0) AS n FROM movement"
local HELD = "SELECT coalesce(sum(held), 0) AS n FROM movement"
local OFF = "SELECT coalesce(sum(debits) - sum(credits), 0) AS n FROM ledger_account"

-- All money that ever came to us, by our books; what of it waits for a person.
function World.came() return one(CAME) end
function World.held() return one(HELD) end
function World:balanced() self:expect(one(OFF) == 0, "the ledger does not balance") end

-- Paid, once, in full.
function World:paid_once(p, what)
  local now = self:show(p)
  self:expect(now.status == "success", "%s: expected success, it is %s", what, now.status)
  self:expect(now.amount_paid == now.amount_due, "%s: %d of %d is paid", what, now.amount_paid, now.amount_due)
  self:expect(self:events(p)["payment.succeeded"] == 1, "%s: payment.succeeded was told %s times", what,
    tostring(self:events(p)["payment.succeeded"] or 0))
  return now
end

function World:books(amount, what)
  local came = self.came()
  self:expect(came == amount, "%s: %d came by our books, the payer gave %d", what, came, amount)
end

-- Opened and paid by its payer; by a callback, or found.
function World:paid(more)
  local p = self:open(more)
  if p.status == "success" then return p, { amount = p.amount_due } end
  local said = self:pay()
  self:taken(said)
  return self:reach(p, "success"), said
end

---- what must not be seen ----

local SECRET = { "authorization", "signature", "token", "secret", "api%-key", "apikey", "x%-client%-key", "password" }
local PREFIXES = { "^[Bb]asic%s+", "^[Bb]earer%s+", "^HMACSHA256=" }

local function secret_name(name)
  for _, pattern in ipairs(SECRET) do
    if name:lower():find(pattern) then return true end
  end
end

local function collect(value, found, depth)
  if type(value) ~= "table" or depth > 6 then return end
  for name, inner in pairs(value) do
    if type(name) == "string" and type(inner) == "string" and secret_name(name) then found[inner] = name end
    collect(inner, found, depth + 1)
  end
end

local function body_of(text)
  local good, value = pcall(json.decode, text or "")
  return good and value or nil
end

-- No line of the log shows a key, what proves who we are, or who pays.
function World:nothing_logged()
  local log, found = self.t.log(), {}
  for _, value in ipairs(self.t.secrets(self.path)) do found[value] = "a configured secret" end
  for _, r in ipairs(self.t.http.requests()) do
    if not r.url:find "/v1/" then
      for _, headers in ipairs { r.headers, r.answer_headers or {} } do
        for name, value in pairs(headers) do
          for _, prefix in ipairs(PREFIXES) do value = value:gsub(prefix, "") end
          if secret_name(name) then found[value] = "the header " .. name end
        end
      end
      collect(body_of(r.body), found, 0)
      collect(body_of(r.answer), found, 0)
    end
  end
  for _, value in ipairs(CANARIES) do found[value] = "the customer's data" end
  for value, what in pairs(found) do
    if #value >= 6 and log:find(value, 1, true) then
      local line = log:match("[^\n]*" .. value:gsub("%p", "%%%0") .. "[^\n]*") or ""
      self:fail("no secret in any log: %s stands in it: %s", what, line:gsub(value:gsub("%p", "%%%0"), "..."))
    end
  end
end

return world
