-- scripts/sandbox/demo.lua: the Demo Wallet's side of channels/demo_wallet.lua. It keeps its books in
-- its own durable store, checks every signature, answers the same reference with the same charge, and
-- misbehaves when told (scripts/lib/simulator.lua). It calls nobody back and nothing of it expires, so
-- the words about callbacks, late and wrong money make no sense here.
local simulator = require "simulator"

local function signed(ctx, request, text)
  return crypto.equal(request.headers["x-signature"] or "", crypto.hmac("sha256", ctx.config.key, text, "hex"))
end

local function refuse(status, code, message)
  return reply(status, { code = code, message = message })
end

local function key(reference) return "charge " .. reference end

-- The charge as it comes in. Numbers that end in 0000 have no balance, in 1111 wait for the person.
local function new_charge(want, declined)
  local charge = { id = "dw_" .. want.reference, reference = want.reference, amount = want.amount, status = "PAID" }
  local tail = type(want.phone) == "string" and want.phone:sub(-4)
  if declined or tail == "0000" then
    charge.status, charge.code, charge.message = "REFUSED", "51", "not enough balance"
  elseif tail == "1111" then
    charge.status = "WAITING"
  end
  return charge
end

local function wrong(want)
  if type(want) ~= "table" or type(want.reference) ~= "string" or #want.reference > 64 then return "REFERENCE", "reference is missing" end
  if math.type(want.amount) ~= "integer" or want.amount < 1 then return "AMOUNT", "amount must be a positive integer" end
end

-- What was said of a reference first stands: the network may bring the same request twice, and who declines
-- one and takes the other has lied to whoever hears only the first.
local function keep(ctx, charge)
  if ctx.store.cas(key(charge.reference), json.encode(charge), 0) then
    simulator.remember(ctx, charge.reference)
    return reply(200, charge)
  end
  return reply(200, simulator.read(ctx, key(charge.reference)))
end

-- What a call about a charge is told by, and how it declines and breaks. `want`: it makes the charge; then 503
-- says that nothing was made.
local function about(ctx, reference, want)
  return {
    facts = { order_id = reference, reference = reference }, effect = want ~= nil,
    refused = function() return keep(ctx, new_charge(want, true)) end,
    maintenance = function()
      local made = want and simulator.read(ctx, key(reference))
      return made and reply(200, made) or refuse(503, "MAINTENANCE", "the wallet is in maintenance")
    end,
    broken = function() return refuse(500, "BROKEN", "the wallet is broken") end,
  }
end

-- The person says yes: by the reference, or by the wallet's own id of the charge.
local function pay(ctx, ref, amount)
  local reference = ref
  if not simulator.read(ctx, key(ref)) then reference = ref:gsub("^dw_", "") end
  local paid, was
  simulator.update(ctx, key(reference), function(charge)
    paid, was = nil, charge
    if not charge or charge.status ~= "WAITING" or (amount and amount ~= charge.amount) then return end
    charge.status, paid = "PAID", charge
    return charge
  end)
  if paid then return paid end
  if not was then return nil, 404 end
  if was.status ~= "WAITING" then return nil, 409, "it is " .. was.status .. " and waits for nobody" end
  return nil, 400, "it takes " .. was.amount .. " and nothing else"
end

local function rows(ctx)
  local list = {}
  for _, reference in ipairs(simulator.recent(ctx)) do
    local charge = simulator.read(ctx, key(reference))
    if charge then
      list[#list + 1] = { ref = reference, payable = charge.status == "WAITING", cells = { reference, charge.amount, charge.status } }
    end
  end
  return list
end

local sim = simulator.new {
  provider = "demo", title = "Demo Wallet simulator", keys = { "reference" },
  words = { "refused", "timeout_before_debit", "timeout_after_debit", "server_error", "rubbish", "slow", "maintenance" },
  columns = { "reference", "amount", "status" },
  rows = rows, pay = pay,
}

return {
  api = 1,
  provider = "demo",
  title = "Demo Wallet simulator",
  config = { key = secret "DEMO_KEY" },
  routes = sim.routes {
    ["POST /v1/charges"] = function(ctx, request)
      if not signed(ctx, request, request.body) then return refuse(401, "SIGNATURE", "the signature does not fit") end
      local want = json.decode(request.body)
      local code, why = wrong(want)
      if code then return refuse(400, code, why) end
      return sim.call(ctx, about(ctx, want.reference, want), function() return keep(ctx, new_charge(want)) end)
    end,
    ["GET /v1/charges/:reference"] = function(ctx, request)
      local reference = request.params.reference
      if not signed(ctx, request, reference) then return refuse(401, "SIGNATURE", "the signature does not fit") end
      return sim.call(ctx, about(ctx, reference), function()
        local charge = simulator.read(ctx, key(reference))
        if not charge then return refuse(404, "NOT_FOUND", "no such charge") end
        return reply(200, charge)
      end)
    end,
  },
}
