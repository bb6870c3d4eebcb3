-- scripts/sandbox/acme.lua: the shop's side of channels/acme_retail.lua: codes, and a till that takes money for them.
local simulator = require "simulator"
local sim

local function authorized(ctx, request)
  return crypto.equal(request.headers.authorization or "", crypto.join { "Bearer ", ctx.config.key })
end

-- As it is now: a code that nobody has paid ends by itself.
local function read(ctx, id)
  local code = simulator.read(ctx, "code " .. id)
  if code and code.status == "open" and ctx.now() >= code.ends then code.status = "expired" end
  return code
end

local function pay(ctx, id, amount)
  local code = read(ctx, id)
  if not code then return nil, 404 end
  if code.status ~= "open" then return nil, 409, "it is " .. code.status .. " and takes no money" end
  amount = simulator.amount(ctx, { order_id = id }, code.amount, amount)
  local taken = simulator.update(ctx, "code " .. id, function(now)
    if now.status ~= "open" then return nil, false end -- another till was faster
    now.status, now.paid, code = "paid", amount, now
    return now, true
  end)
  if not taken then return nil, 409, "it is paid and takes no money" end
  local body = json.encode { id = id, status = code.status, paid = code.paid }
  local headers = { ["Content-Type"] = "application/json", ["X-Signature"] = crypto.hmac("sha256", ctx.config.key, body, "hex") }
  return { id = id, amount = code.paid, callbacks = sim.callback(ctx, { url = simulator.HOME .. "/callbacks/acme", headers = headers, body = body,
    facts = { order_id = id }, spoil = function() return {}, body end }) }
end

sim = simulator.new {
  provider = "acme", title = "Acme Shop simulator", pay = pay, columns = { "code", "amount", "status" },
  words = { "short", "over", "duplicate", "reorder", "wrong_signature",
    "timeout_after_debit", "timeout_before_debit", "server_error", "rubbish", "refused" },
  retry = function(_, tried) return ({ 60000, 600000 })[tried + 1] end,
  rows = function(ctx)
    local rows = {}
    for i, id in ipairs(simulator.recent(ctx)) do
      local code = read(ctx, id)
      rows[i] = { ref = id, payable = code.status == "open", cells = { code.number, code.amount, code.status } }
    end
    return rows
  end,
}

return {
  api = 1, provider = "acme", title = "Acme Shop simulator",
  config = { key = secret "ACME_KEY" },
  routes = sim.routes {
    ["POST /codes"] = function(ctx, request)
      if not authorized(ctx, request) then return reply(401, {}) end
      local want = json.decode(request.body)
      local what = { effect = true, facts = { order_id = want.id }, refused = function() return reply(400, {}) end }
      return sim.call(ctx, what, function()
        local code = { id = want.id, amount = want.amount, ends = time.parse(want.ends), status = "open",
          number = ("AC%08d"):format(sim.remember(ctx, want.id)) }
        ctx.store.cas("code " .. want.id, json.encode(code), 0)
        return reply(200, read(ctx, want.id))
      end)
    end,
    ["GET /codes/:id"] = function(ctx, request)
      if not authorized(ctx, request) then return reply(401, {}) end
      local code = read(ctx, request.params.id)
      return reply(code and 200 or 404, code or {})
    end,
  },
}
