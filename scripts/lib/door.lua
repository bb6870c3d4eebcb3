-- scripts/lib/door.lua: what the doors of other shapes share. A door speaks a gateway's language to
-- merchants of ours: it reads that gateway's request, asks the core for exactly what POST /v1/payments
-- would ask it, and writes the payment in that gateway's words. It never makes a payment by itself.
--
--   return { api = 1, routes = door.routes({
--     ["POST /v2/charge"] = { about = "charges", run = function(req)
--       local body, why = door.body(req)
--       local status, payment = door.create(req, { order_id = ..., amount = ..., method = ... })
--       if status >= 300 then return ... end                    -- payment is a problem then: code, detail, param
--     end },
--   }, function(req, why) return why.status, { ... } end) }    -- what the engine itself refuses, in that shape
local query = require "api_query"
local door = {}

-- As scripts/api routes have it: by a merchant's key, with time for a provider; and as such clients may
-- call them, with a slash at the end. A route may say otherwise.
function door.routes(routes, refused)
  local all = {}
  for key, route in pairs(routes) do
    route.auth, route.timeout, route.refused = route.auth or "merchant", route.timeout or "150s", refused
    all[key] = route
    all[key .. "/"] = route
  end
  return all
end

---- reading ----

-- The body where it is a JSON object, whatever type it says it is; nil and why. Fields that a door
-- does not know are not looked at: such clients send many.
function door.body(req)
  local body, why = query.object(req)
  if not body then return nil, why or "the body is no JSON object" end
  return body
end

function door.table_or(value) return type(value) == "table" and value ~= json.null and value or {} end

-- A text that says something; nil for all else.
function door.text(value) return type(value) == "string" and value ~= "" and value or nil end

-- At most so many bytes, and no half of a character.
function door.cut(s, max)
  if #s <= max then return s end
  while max > 0 and s:byte(max + 1) & 0xc0 == 0x80 do max = max - 1 end
  return s:sub(1, max)
end

-- Without blanks around it; what is longer than any name (and than patterns take) is refused as it is.
local function trimmed(s) return #s > 1000 and s or (s:gsub("^%s+", ""):gsub("%s+$", "")) end

-- The customer of a create request; nil where nothing is known of him. Names of two parts become one.
function door.customer(c)
  c = door.table_or(c)
  local name = door.text(c.name) or door.text(trimmed((door.text(c.first_name) or "") .. " " .. (door.text(c.last_name) or "")))
  local customer = { name = name, email = door.text(c.email), phone = door.text(c.phone) }
  return next(customer) and customer or nil
end

-- An Idempotency-Key that is one; others of such clients are no keys: the order id protects them.
local function key_of(req)
  local key = req.headers["idempotency-key"]
  return key and #key <= 255 and key:find "^[\x20-\x7e]+$" and key or nil
end
door.key_of = key_of

-- The API key that the request came with: a secret, for signatures that its owner checks with it.
function door.api_key(req)
  local user = crypto.base64_decode((req.headers.authorization or ""):match "^%a+%s+(%S+)$" or "")
  return crypto.secret(user and user:match "^([^:]*)" or "", "API_KEY")
end

---- asking the core ----

-- What the core said: its HTTP status; the payment or refund, or below the problem {code, detail, param};
-- true where it is the stored answer to the same Idempotency-Key.
local function heard(said)
  return said.status, json.decode(said.body) or {}, (said.headers or {})["Idempotent-Replayed"] ~= nil
end

-- The path without a slash at the end: a repeat is one however it is spelt.
local function path_of(req) return req.method .. " " .. req.path:gsub("(.)/+$", "%1") end

-- Creates what `want` (a request of POST /v1/payments) says. 201: made; 200: that order was there, with
-- the same amount and way; 409: with another. `have`: options that are known; a channel takes none but
-- its own, so one is given where it is asked for. `told`: the door's name, and where the payment wants to be told of.
function door.create(req, want, have, told)
  local options = json.object {}
  told = told or {}
  for _ = 1, 5 do
    local status, doc, again = heard(core.payment.create { merchant = req.merchant, body = want, raw = req.body, key = key_of(req), path = path_of(req),
      door = told.door, urls = told.urls, only = told.only })
    local missing = status == 400 and have and tostring(doc.param or ""):match "^options%.([%w_]+)$"
    if not missing or have[missing] == nil or options[missing] ~= nil then return status, doc, again end
    options[missing] = have[missing] -- nothing was made so far: a refused request leaves nothing
    want.options = options
  end
end

-- cancel, sync; refund and capture, which need a key. A key is the payment's, by whatever name and path a shop calls it.
function door.act(name, req, payment, body, key)
  return heard(core.payment[name] { merchant = req.merchant, id = payment, body = body, key = key, path = key and "door " .. name .. " " .. payment or nil })
end

-- The merchant's payment by its own id or by the order's: that which is open or paid, else the newest.
-- nil: there is none; nil, true: it cannot be told now.
function door.find(merchant, id)
  if type(id) ~= "string" or id == "" or #id > 200 then return nil end
  if id:find "^pay_" then
    local payment, why = core.payment.get(merchant, id)
    if payment or why then return payment, why ~= nil end
  end
  local rows = store.query("payments_of_order", merchant, id)
  if not rows then return nil, true end
  local newest
  for i = 1, math.min(#rows, 10) do
    local payment, why = core.payment.get(merchant, rows[i].id)
    if why then return nil, true end
    if payment and payment.status ~= "failed" and payment.status ~= "expired" and payment.status ~= "cancelled" then return payment end
    newest = newest or payment
  end
  return newest
end

---- writing ----

-- "2026-01-31T10:00:00.000+07:00", as our payments have it, as "2026-01-31 10:00:00", which is WIB; nil for null.
function door.wib(at) return type(at) == "string" and (at:gsub("^(%S+)T(%d%d:%d%d:%d%d).*$", "%1 %2")) or nil end

function door.rupiah(amount) return money.format(amount, "IDR", 2) end

return door
