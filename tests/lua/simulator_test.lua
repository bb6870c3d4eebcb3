-- What all simulators share, with a ctx that is written down here, and Midtrans' one.
local simulator = require "simulator"
local MIDTRANS = "scripts/sandbox/midtrans.lua"

-- A durable store that others do not touch; `dies` counts down what is done with it.
local function world(t, answers)
  local w = { kept = {}, posts = {}, dies = nil }
  local function step()
    if not w.dies then return end
    w.dies = w.dies - 1
    if w.dies <= 0 then error "it died" end
  end
  local function entry(key) return w.kept[key] or { version = 0 } end
  local function put(key, value)
    step()
    w.kept[key] = { value = value, version = entry(key).version + 1 }
    return true
  end
  w.ctx = {
    config = { server_key = "SB-Mid-server-demo" }, now = t.clock.now, url = function(path) return "http://127.0.0.1:1" .. path end,
    store = { put = put, get = function(key) step() return entry(key).value, entry(key).version end,
      cas = function(key, value, version)
        if entry(key).version ~= (version or 0) then return nil, "it moved", "E_GUARD" end
        return put(key, value)
      end },
    counter = function(name) put(name, tostring(tonumber(entry(name).value or "0") + 1)) return tonumber(entry(name).value) end,
    http = { post = function(what)
      step()
      w.posts[#w.posts + 1] = json.decode(what.body)
      local status = table.remove(answers or {}, 1) or 200
      return { status = status, json = function() return {} end }
    end },
  }
  return w
end

local function control(sim, ctx, want) return sim.routes {}["POST /_control"](ctx, { body = json.encode(want) }) end

return { tests = {
  ["without retry a callback that fails goes once"] = function(t)
    local w = world(t, { 500 })
    local sim = simulator.new { provider = "acme", title = "Acme", columns = {}, rows = function() return {} end }
    local said = sim.callback(w.ctx, { url = "http://x/", headers = {}, body = "{}", facts = {} })
    t.equal(#said, 1)
    t.equal(said[1].status, 500)
    t.equal(said[1].again_in_ms, nil)
  end,

  ["what a caller sent before anything checked it fits no match"] = function(t)
    local w = world(t)
    local sim = simulator.new { provider = "acme", title = "Acme", columns = {}, rows = function() return {} end }
    t.equal(control(sim, w.ctx, { next = "slow", match = { order_id = "inv-1" } }).status, 200)
    for _, odd in ipairs { 5, true, json.array {}, json.null } do
      t.equal(simulator.call(w.ctx, { facts = { order_id = odd } }, function() return "ran" end), "ran")
    end
    t.equal(simulator.fits({ order_id = "inv-1" }, { order_id = "inv-1-x7k2" }), true)
    t.equal(simulator.fits({ order_id = "inv-1", payment_id = "pay_1" }, { order_id = "inv-1", payment_id = "pay_2" }), false)
    t.equal(simulator.fits(nil, {}), true)
  end,

  ["Midtrans: an order id that is a number is told so, though a match waits"] = function(t)
    t.equal(t.call(MIDTRANS, { "routes", "POST /_control" }, { body = json.encode { next = "refused", match = { order_id = "inv-1" } } }).status, 200)
    local said = t.call(MIDTRANS, { "routes", "POST /v2/charge" }, { method = "POST", path = "/v2/charge", params = {},
      headers = { authorization = "Basic U0ItTWlkLXNlcnZlci1kZW1vOg==" },
      body = json.encode { payment_type = "qris", transaction_details = { order_id = 7, gross_amount = 1000 } } })
    t.equal(said.status, 200)
    t.equal(json.decode(json.encode(said.body)).status_code, "400")
  end,

  ["Midtrans: a bill key has 6 to 12 digits"] = function(t)
    local rules = require "sandbox_midtrans"
    for key, count in pairs { ["12345"] = 1, ["123456"] = 0, ["123456789012"] = 0, ["1234567890123"] = 1, ["12345x"] = 1, [""] = 1 } do
      local wrong = rules.check { payment_type = "echannel", transaction_details = { order_id = "o", gross_amount = 1 },
        echannel = { bill_info1 = "a", bill_info2 = "b", bill_key = key } }
      t.equal(#wrong, count, key)
    end
  end,

  ["Midtrans: what is taken back fits all that was named"] = function(t)
    for _, order in ipairs { "tb-1", "tb-2" } do
      t.call("channels/midtrans_bca_va.lua", "create", { id = "op_" .. order, kind = "create", reference = order, status = "sending",
        payment = "pay_" .. order, input = { amount = 1000 } })
    end
    local function say(want) return t.call(MIDTRANS, { "routes", "POST /_control" }, { body = json.encode(want) }) end
    for _ = 1, 4 do t.http.answer { method = "POST", url = "http://luwak.simulated/callbacks/midtrans", json = {} } end
    t.equal(say({ pay = "tb-1" }).status, 200)
    t.equal(say({ pay = "tb-2" }).status, 200)
    local function deny(match) return say({ next = "deny_after_settlement", match = match }).body end
    t.equal(deny({ order_id = "tb-1", payment_id = "pay_tb-2" }).taken_back, nil)
    t.equal(deny({ payment_id = "pay_tb-2", order_id = "tb-2" }).taken_back, { payment_id = "pay_tb-2", order_id = "tb-2" })
    t.equal(deny({ order_id = "tb-1" }).taken_back, { order_id = "tb-1" })
  end,
  ["Midtrans: what it died behind is told all the same"] = function(t)
    local routes = t.load(MIDTRANS).routes
    local AUTH = { authorization = "Basic U0ItTWlkLXNlcnZlci1kZW1vOg==" }
    local function post(w, path, params, body)
      return pcall(routes["POST " .. path], w.ctx, { method = "POST", params = params or {}, headers = AUTH, body = json.encode(body or {}) })
    end
    -- What was to be done later, done; the newest last.
    local seen = {}
    local function later(w)
      for _, row in ipairs(store.select "SELECT id, args FROM job WHERE name = 'scripts/jobs/simulator.lua' ORDER BY due_at, created, id") do
        if not seen[row.id] then
          seen[row.id] = true
          local args = json.decode(row.args)
          assert(post(w, "/_due", nil, { name = args.name, arg = args.arg }))
        end
      end
    end
    local function last(w) return #w.posts > 0 and w.posts[#w.posts].transaction_status or nil end
    local deeds = {
      settlement = function(w) return post(w, "/_control", nil, { pay = "d-1" }) end,
      cancel = function(w) return post(w, "/v2/:id/cancel", { id = "d-1" }) end,
      refund = function(w) return post(w, "/v2/:id/refund", { id = "d-1" }, { refund_key = "k" }) end,
    }
    for word, deed in sorted(deeds) do
      local finished, step = false, 0
      while not finished and step < 100 do
        step = step + 1
        local w = world(t)
        assert(post(w, "/v2/charge", nil, { payment_type = "gopay", transaction_details = { order_id = "d-1", gross_amount = 1000 } }))
        if word == "refund" then assert(deeds.settlement(w)) end
        for _, row in ipairs(store.select "SELECT id FROM job WHERE name = 'scripts/jobs/simulator.lua'") do seen[row.id] = true end
        w.posts, w.dies = {}, step
        finished = deed(w) and w.dies > 0
        w.dies = nil
        later(w)
        local said = routes["GET /v2/:id/status"](w.ctx, { method = "GET", params = { id = "d-1" }, headers = AUTH, body = "" })
        local is = said.body.transaction_status
        if is == word then t.equal(last(w), word, word .. ": died at step " .. step) else t.truthy(#w.posts == 0, word .. " " .. step) end
      end
      t.truthy(finished and step > 3, word)
    end
  end,

  ["the bank of our own numbers: what it died behind is told all the same, what was held too"] = function(t)
    local routes, seen = t.load("scripts/sandbox/self.lua").routes, {}
    local JOBS = "SELECT id, args FROM job WHERE name = 'scripts/jobs/simulator.lua' ORDER BY due_at, created, id"
    local function post(w, path, body) return pcall(routes["POST " .. path], w.ctx, { method = "POST", body = json.encode(body) }) end
    local function later(w)
      for _, row in ipairs(store.select(JOBS)) do
        local args = json.decode(row.args)
        if not seen[row.id] and w then assert(post(w, "/_due", { name = args.name, arg = args.arg })) end
        seen[row.id] = true
      end
    end
    local PAY = { pay = "880880000000001", amount = 5000 }
    for _, held in ipairs { false, true } do
      local finished, step = false, 0
      while not finished and step < 100 do
        step = step + 1
        local w = world(t)
        w.ctx.config.key = "k"
        if held then
          assert(post(w, "/_control", { next = "reorder", count = 2 }))
          for _ = 1, 2 do assert(post(w, "/_control", PAY)) end
          t.equal(#w.posts, 0)
        end
        later() -- they are not this death's
        w.dies = step
        finished = post(w, "/_control", held and { next = "reset" } or PAY) and w.dies > 0
        w.dies = nil
        if held and not finished then assert(post(w, "/_control", { next = "reset" })) end -- who waits asks again
        later(w)
        local told, count = {}, 0
        for _, said in ipairs(w.posts) do told[said.money_id] = true end
        for key in pairs(w.kept) do
          local id = key:match "^money (.*)"
          if id then
            count = count + 1
            t.truthy(told[id], ("held %s: died at step %d"):format(held, step))
          end
        end
        t.truthy(count > 0 or #w.posts == 0)
        if finished then t.equal(count, held and 2 or 1) end
      end
      t.truthy(finished and step > 3, tostring(held))
    end
  end,
} }
