-- scripts/sandbox/@PROVIDER@.lua: @PROVIDER@'s side of the channels that are named after it: payments that are
-- opened, looked at, cancelled and given back; a person who pays; callbacks. Books: "pay REFERENCE".
local simulator = require "simulator"

local LATE_BY = 7200000 -- behind the channel's grace
local DAY = 86400000
local sim

local function book(reference) return "pay " .. reference end

local function qr_string(n)
  local text = ("00020101021226%02d%s5204539953033605802ID6004Demo6304"):format(20, ("00165%015d"):format(n))
  return text .. ("%04X"):format(crypto.crc16(text))
end

local SHOWN = {
  va = function(_, n) return { va_number = ("99088%08d"):format(n) } end,
  bill = function(_, n) return { biller_code = "90801", bill_key = ("%012d"):format(n) } end,
  retail = function(_, n) return { outlet = "store", payment_code = ("RT%08d"):format(n) } end,
  qris = function(_, n) return { qr_string = qr_string(n) } end,
  wallet = function(ctx, n) return { redirect_url = ctx.url("/sandbox/@PROVIDER@/?wallet=" .. n) } end,
  card = function(ctx, n) return { redirect_url = ctx.url("/sandbox/@PROVIDER@/?card=" .. n) } end,
}

local function status_of(ctx, p) return p.status == "OPEN" and ctx.now() >= p.expires_at and "EXPIRED" or p.status end

local function view(ctx, p)
  local v = { id = p.id, reference = p.reference, amount = p.amount, status = status_of(ctx, p), expires_at = time.format(p.expires_at),
    money_id = p.money_id, amount_paid = p.amount_paid, paid_at = p.paid_at and time.format(p.paid_at), refunds = json.array {} }
  for name, value in pairs(p.shown) do v[name] = value end
  for i, r in ipairs(p.refunds) do v.refunds[i] = { id = r.id, key = r.key, amount = r.amount } end
  return v
end

local function refuse(status, code, message) return reply(status, { code = code, message = message or code }) end

-- One documented path: signed, misbehaving when told.
local function path(effect, run)
  return function(ctx, request)
    local text = { request.method, "\n", request.path, "\n", request.body }
    if not crypto.hmac_verify("sha256", ctx.config.key, text, request.headers["x-signature"]) then return refuse(401, "SIGNATURE") end
    local want = request.body == "" and {} or json.decode(request.body)
    if type(want) ~= "table" then return refuse(422, "BODY") end
    local reference = request.params.reference or want.reference
    local what = { facts = { order_id = reference }, effect = effect,
      refused = function() return refuse(402, "DECLINED", "it was declined") end,
      broken = function() return refuse(500, "BROKEN") end,
      maintenance = function() return refuse(503, "MAINTENANCE") end }
    return sim.call(ctx, what, function() return run(ctx, reference, want) end)
  end
end

-- alter(p) changes the payment and returns true, or says no. The payment, and whether it was changed.
local function change(ctx, reference, alter)
  local p
  local done = simulator.update(ctx, book(reference), function(now)
    p = now
    if now and alter(now) then return now, true end
    return nil, false
  end)
  return p, done
end

local function open(ctx, reference, want)
  if type(reference) ~= "string" or not reference:find "^[%w%-_.~]+$" or #reference > 64 then return refuse(422, "REFERENCE") end
  if math.type(want.amount) ~= "integer" or want.amount < 1 then return refuse(422, "AMOUNT") end
  if not SHOWN[want.kind] then return refuse(422, "KIND") end
  local ends = want.expires_at == nil and ctx.now() + DAY or time.parse(tostring(want.expires_at))
  if not ends or ends <= ctx.now() then return refuse(422, "EXPIRES_AT") end
  local p = simulator.read(ctx, book(reference))
  if p then return p.amount == want.amount and reply(200, view(ctx, p)) or refuse(409, "REFERENCE_USED") end
  local n = simulator.remember(ctx, reference)
  p = { id = "@PROVIDER@-" .. n, reference = reference, amount = want.amount, status = "OPEN", expires_at = ends, shown = SHOWN[want.kind](ctx, n),
    refunds = json.array {} }
  ctx.store.put("id " .. p.id, reference)
  sim.later(ctx, ends, "expire", { reference = reference })
  if not ctx.store.cas(book(reference), json.encode(p), 0) then return refuse(409, "REFERENCE_USED") end
  return reply(200, view(ctx, p))
end

local function look(ctx, reference)
  local p = simulator.read(ctx, book(reference))
  return p and reply(200, view(ctx, p)) or refuse(404, "NOT_FOUND")
end

local function headers(key, body) return { ["Content-Type"] = "application/json", ["X-Signature"] = crypto.hmac("sha256", key, body) } end

local function tell(ctx, p)
  local body = json.encode(view(ctx, p))
  return sim.callback(ctx, { url = simulator.HOME .. "/callbacks/@PROVIDER@", headers = headers(ctx.config.key, body), body = body,
    facts = { order_id = p.reference }, spoil = function() return headers("another's key", body), body end })
end

local function cancel(ctx, reference)
  local p, done = change(ctx, reference, function(now)
    if status_of(ctx, now) ~= "OPEN" then return false end
    now.status = "CANCELLED"
    return true
  end)
  if not p then return refuse(404, "NOT_FOUND") end
  return done and reply(200, view(ctx, p)) or refuse(409, "NOT_OPEN")
end

local function refund(ctx, reference, want)
  local row
  local p = change(ctx, reference, function(now)
    row = nil
    local left = now.amount_paid or 0
    for _, r in ipairs(now.refunds) do
      if r.key == want.key then row = r end
      left = left - r.amount
    end
    if row or now.status ~= "PAID" or type(want.key) ~= "string" or math.type(want.amount) ~= "integer" or want.amount < 1 or want.amount > left then
      return false
    end
    row = { id = now.id .. "-r" .. #now.refunds + 1, key = want.key, amount = want.amount }
    now.refunds[#now.refunds + 1] = row
    return true
  end)
  if not p then return refuse(404, "NOT_FOUND") end
  return row and reply(200, row) or refuse(422, "NOT_REFUNDABLE")
end

---- a person pays ----

local function settle(ctx, reference, amount, late)
  local p, done = change(ctx, reference, function(now)
    if now.status ~= "OPEN" or not (late or ctx.now() < now.expires_at) then return false end
    now.status, now.money_id, now.amount_paid, now.paid_at = "PAID", "m-" .. now.id, amount, ctx.now()
    return true
  end)
  if not done then return nil, 409, "it is " .. status_of(ctx, p) .. " and takes no money" end
  local said = tell(ctx, p)
  local taken_back = simulator.denied(ctx, { order_id = reference }) or nil
  if taken_back then
    p = change(ctx, reference, function(now)
      now.status = "REVERSED"
      return true
    end)
    for _, one in ipairs(tell(ctx, p)) do said[#said + 1] = one end
  end
  return { reference = reference, amount = amount, callbacks = said, taken_back = taken_back }
end

local function pay(ctx, ref, amount)
  local reference = ctx.store.get("id " .. ref) or ref
  local p = simulator.read(ctx, book(reference))
  if not p then return nil, 404 end
  local facts = { order_id = reference }
  local late = simulator.late(ctx, facts)
  amount = simulator.amount(ctx, facts, p.amount, amount)
  if not late then return settle(ctx, reference, amount, false) end
  sim.later(ctx, p.expires_at + LATE_BY, "pay", { reference = reference, amount = amount })
  return { reference = reference, amount = amount, pays_at = time.format(p.expires_at + LATE_BY) }
end

sim = simulator.new {
  provider = "@PROVIDER@", title = "@PROVIDER@ simulator", columns = { "reference", "amount", "status" },
  pay = pay, prove = function(ctx, cb) return headers(ctx.config.key, cb.body) end,
  retry = function(_, tried) return ({ 60000, 300000, 1800000, 7200000 })[tried + 1] end,
  take_back = function(ctx, match)
    local p, done = change(ctx, match.order_id or "", function(now)
      if now.status ~= "PAID" then return false end
      now.status = "REVERSED"
      return true
    end)
    if done then tell(ctx, p) end
    return done
  end,
  rows = function(ctx)
    local rows = {}
    for _, reference in ipairs(simulator.recent(ctx)) do
      local p = simulator.read(ctx, book(reference))
      if p then rows[#rows + 1] = { ref = reference, payable = status_of(ctx, p) == "OPEN", cells = { reference, p.amount, status_of(ctx, p) } } end
    end
    return rows
  end,
  needs = { pay = { "reference", "amount" }, expire = { "reference" } },
  later = {
    pay = function(ctx, arg)
      if simulator.read(ctx, book(arg.reference)) then settle(ctx, arg.reference, arg.amount, true) end
    end,
    expire = function(ctx, arg)
      local p = simulator.read(ctx, book(arg.reference))
      if p and status_of(ctx, p) == "EXPIRED" then tell(ctx, p) end
    end,
  },
}

return {
  api = 1, provider = "@PROVIDER@", title = "@PROVIDER@ simulator",
  config = { key = secret "@PREFIX@_SECRET_KEY" },
  routes = sim.routes {
    ["POST /v1/payments"] = path(true, open),
    ["GET /v1/payments/:reference"] = path(false, look),
    ["POST /v1/payments/:reference/cancel"] = path(true, cancel),
    ["POST /v1/payments/:reference/refunds"] = path(true, refund),
  },
  docs = { certainty = "made up" },
}
