-- channels/self_va.lua: numbers of our own, and the bank that tells of money.
local CHANNEL, BANK, KEY = "channels/self_va.lua", "scripts/sandbox/self.lua", "self-demo-key"
local function op(reference, more)
  local o = { id = "op_" .. reference, kind = "create", reference = reference, status = "sending", input = { amount = 150000 } }
  for name, value in pairs(more or {}) do o[name] = value end
  return o
end

-- notify with a core that is written down here.
local function heard(t, body, signature, world)
  world = world or {}
  local settled, unverified
  local ctx = {
    config = { key = KEY },
    verify = function(fact) if fact ~= true then unverified = true; error "unverified" end end,
    find = function(what) return what.va_number == "880880000000001" and { reference = "r1", status = "pending" } or nil end,
    settle = function(what) settled = what; return world.verdict or "applied" end,
  }
  local good, answer = pcall(t.load(CHANNEL).notify, ctx, { headers = { ["x-signature"] = signature }, body = body })
  return { settled = settled, unverified = unverified or false, status = good and answer.status or nil }
end
local function sign(body) return crypto.hmac("sha512", KEY, body, "hex") end
local function told(more)
  local body = { va_number = "880880000000001", amount = 150000, money_id = "m1", paid_at = "2026-01-31T10:00:00.000+07:00", status = "paid" }
  for name, value in pairs(more or {}) do body[name] = value end
  return json.encode(body)
end
local function control(t, what)
  return t.call(BANK, { "routes", "POST /_control" }, { body = json.encode(what) })
end

return { tests = {
  ["numbers differ, and nobody is called"] = function(t)
    local seen = {}
    for i = 1, 50 do
      local d = t.call(CHANNEL, "create", op("r" .. i))
      t.equal(t.kind(d), "pending")
      t.truthy(d.va_number:find "^88088%d%d%d%d%d%d%d%d%d%d$", d.va_number)
      t.equal(seen[d.va_number], nil)
      seen[d.va_number] = true
    end
    t.equal(#t.http.requests(), 0)
  end,
  ["it ends when it was asked to"] = function(t)
    t.equal(t.call(CHANNEL, "create", op "e1").expires_at, t.clock.now() + 86400000)
    t.equal(t.call(CHANNEL, "create", op("e2", { input = { amount = 1, expires_in = 60 } })).expires_at, t.clock.now() + 60000)
    t.equal(t.call(CHANNEL, "create", op("e3", { expires_at = t.clock.now() + 5000, input = { amount = 1, expires_in = 60 } })).expires_at, t.clock.now() + 5000)
  end,
  ["a number that was not kept was never shown"] = function(t)
    t.equal(t.kind(t.call(CHANNEL, "inquire", op "i1")), "not_created")
    t.equal(t.kind(t.call(CHANNEL, "inquire", op("i1", { data = { number = 5 } }))), "pending")
  end,
  ["signed money is settled by its number"] = function(t)
    local h = heard(t, told(), sign(told()))
    t.equal(h.status, 200)
    t.equal(h.settled, { reference = "r1", status = "success", money_id = "m1", amount = 150000, paid_at = time.parse "2026-01-31T10:00:00+07:00" })
    t.equal(heard(t, told(), sign(told()), { verdict = "not_found" }).status, 503)
    t.equal(heard(t, told { status = "reversed" }, sign(told { status = "reversed" })).settled.status, "reversed")
    local back = told { status = "reversed" }
    t.equal(heard(t, back, sign(back), { verdict = "refused" }).status, 503, "taken back before it came: told again behind it")
    t.equal(heard(t, back, sign(back), { verdict = "duplicate" }).status, 200)
    local strange = heard(t, told { va_number = "1" }, sign(told { va_number = "1" }), { verdict = "not_found" })
    t.equal(strange.status, 503, "not ours, or not yet")
    t.equal(strange.settled.reference, "1", "and kept, for suspense")
  end,
  ["what is not signed, or says nothing, changes nothing"] = function(t)
    for _, signature in ipairs { "", "00", sign "another" } do t.equal(heard(t, told(), signature).unverified, true) end
    t.equal(heard(t, told(), nil).unverified, true)
    for _, body in ipairs { "{", "[]", told { amount = "1" }, told { amount = 0 }, told { va_number = 1 }, told { status = "maybe" }, told { money_id = 1 },
      told { amount = 1000000000000001 }, told { money_id = "m\0" }, told { va_number = "88088\n" }, told { va_number = "" } } do
      local h = heard(t, body, sign(body))
      t.equal(h.status, 400, body)
      t.equal(h.settled, nil)
    end
  end,
  ["the bank pays what the payment says, signed"] = function(t)
    t.http.answer { method = "GET", url = "/v1/payments?limit=1&order_id=o-1", json = { object = "list", data = { {
      id = "pay_1", order_id = "o-1", amount_due = 150000, instructions = { va_number = "880880000000001" } } } } }
    t.http.answer { method = "POST", url = "http://luwak.simulated/callbacks/self", json = { status = "applied" } }
    local said = control(t, { pay = "o-1" })
    t.equal(said.status, 200)
    t.equal(said.body.amount, 150000)
    t.equal(t.http.requests()[1].headers.authorization, "Basic c2tfdGVzdF9kZW1vOg==")
    local sent = t.http.requests()[2]
    t.equal(sent.headers["x-signature"], sign(sent.body))
    local h = heard(t, sent.body, sent.headers["x-signature"])
    t.equal(h.settled.amount, 150000)
    t.equal(h.settled.paid_at, t.clock.now())
  end,
  ["short, wrongly signed, taken back"] = function(t)
    for _, word in ipairs { "short", "wrong_signature", "deny_after_settlement" } do t.equal(control(t, { next = word }).status, 200) end
    t.http.answer { method = "GET", url = "/v1/payments/pay_1", json = { object = "payment", id = "pay_1", order_id = "o-1", amount_due = 5000,
      instructions = { va_number = "880880000000001" } } }
    t.http.answer { method = "POST", status = 401 }
    t.http.answer { method = "POST", json = {} }
    t.equal(control(t, { pay = "pay_1" }).body.amount, 4000)
    local first, second = t.http.requests()[2], t.http.requests()[3]
    t.truthy(first.headers["x-signature"] ~= sign(first.body))
    t.equal(second.headers["x-signature"], sign(second.body))
    t.equal(json.decode(second.body).status, "reversed")
    t.equal(json.decode(first.body).money_id, json.decode(second.body).money_id)
  end,
  ["an account number needs its amount"] = function(t)
    t.http.answer { method = "GET", json = { object = "list", data = {} } }
    local said = control(t, { pay = "880880000000001" })
    t.equal(said.status, 400)
    t.equal(json.decode(said.body).param, "amount")
    t.equal(control(t, { next = "refused" }).status, 400, "nobody calls this bank")
    t.http.answer { method = "POST", json = {} }
    t.equal(control(t, { pay = "880880000000001", amount = 77 }).body.amount, 77)
  end,
} }
