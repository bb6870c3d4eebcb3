-- channels/demo_wallet.lua in its cage: against its simulator, against answers of our own, and
-- against a recording.
local CHANNEL = "channels/demo_wallet.lua"
local SANDBOX = "scripts/sandbox/demo.lua"
local function op(reference, phone)
  return { id = "op_" .. reference, reference = reference, input = { amount = 25000, phone = phone } }
end

return { tests = {
  ["the simulator is paid, once per reference"] = function(t)
    local first = t.call(CHANNEL, "create", op("r1", "081234567890"))
    t.equal(t.kind(first), "success")
    t.equal(t.call(CHANNEL, "create", op("r1", "081234567890")), first, "the same again")
    t.equal(t.kind(t.call(CHANNEL, "inquire", op "r1")), "success")
    t.equal(t.kind(t.call(CHANNEL, "inquire", op "r2")), "not_created")
    t.equal(#t.http.requests(), 4)
  end,
  ["no balance is failed"] = function(t)
    local d = t.call(CHANNEL, "create", op("r3", "081200000000"))
    t.equal(t.kind(d), "failed")
    t.equal(d.category, "INSUFFICIENT_BALANCE")
  end,
  ["what the simulator has said of a reference stands, however often the request comes"] = function(t)
    local function tell(word) t.equal(t.call(SANDBOX, { "routes", "POST /_control" }, { body = json.encode { next = word } }).status, 200) end
    local function create(reference) return t.kind(t.call(CHANNEL, "create", op(reference, "081234567890"))) end
    tell "refused"
    t.equal(create "declined", "failed")
    t.equal(create "declined", "failed", "its twin")
    t.equal(t.kind(t.call(CHANNEL, "inquire", op "declined")), "failed")
    t.equal(create "taken", "success")
    tell "refused"
    t.equal(create "taken", "success", "its twin, when the next one is to be declined")
    tell "maintenance"
    t.equal(create "taken", "success", "its twin, in maintenance")
    t.equal(create "new", "not_created")
    tell "reset"
    t.equal(create "new", "success")
  end,
  ["no answer is unknown, never failed"] = function(t)
    for _, fail in ipairs { "timeout", "reset" } do
      t.http.answer { method = "POST", url = "/v1/charges", fail = fail }
      t.equal(t.kind(t.call(CHANNEL, "create", op("r4", "081234567890"))), "unknown", fail)
    end
  end,
  ["rubbish is unknown"] = function(t)
    t.http.answer { body = "<html>" }
    t.equal(t.kind(t.call(CHANNEL, "create", op("r5", "081234567890"))), "unknown")
  end,
  ["maintenance was not created"] = function(t)
    t.http.answer { status = 503, json = { code = "MAINTENANCE" } }
    t.equal(t.kind(t.call(CHANNEL, "create", op("r6", "081234567890"))), "not_created")
  end,
  ["it signs the very bytes it sends"] = function(t)
    t.http.answer { json = { status = "PAID", id = "x", reference = "r7" } }
    t.call(CHANNEL, "create", op("r7", "081234567890"))
    local sent = t.http.requests()[1]
    t.equal(sent.method, "POST")
    t.equal(sent.body, '{"amount":25000,"phone":"081234567890","reference":"r7"}')
    t.equal(#sent.headers["x-signature"], 64)
  end,
  ["a recording answers"] = function(t)
    t.http.replay "tests/lua/fixtures/demo_inquire.txt"
    local d = t.call(CHANNEL, "inquire", op "rec-1")
    t.equal(t.kind(d), "success")
    t.equal(d.data.charge_id, "dw_rec-1")
  end,
  ["what is asked wrongly is refused and never raised"] = function(t)
    local deep = {}
    for _ = 1, 70 do deep = { customer = deep } end
    local function ask(what)
      local made, text, code, param = core.operation.create(what)
      t.equal(made, nil)
      t.truthy(#text > 0)
      return code .. " " .. param
    end
    local function input(v) return ask { channel = "demo_wallet", input = v } end
    t.equal(ask {}, "E_INVAL channel")
    t.equal(ask { channel = 1 }, "E_INVAL channel")
    t.equal(ask { channel = "nobody" }, "E_NOTFOUND channel")
    t.equal(ask { channel = "demo_wallet", kind = "refund" }, "E_INVAL kind")
    t.equal(ask { channel = "demo_wallet", reference = ("a"):rep(65) }, "E_INVAL reference")
    t.equal(ask { channel = "demo_wallet", reference = 5 }, "E_INVAL reference")
    t.equal(input(nil), "E_INVAL phone")
    t.equal(input(json.null), "E_INVAL input")
    t.equal(input(deep), "E_INVAL input")
    t.equal(input { phone = ("0"):rep(70000) }, "E_INVAL input")
    t.equal(input { phone = "\xff" }, "E_INVAL input")
    t.equal(input { phone = "08", amount = 999 }, "E_LIMIT amount")
    t.equal(input { phone = "08", amount = 20000001 }, "E_LIMIT amount")
    t.error(function() core.operation.create { channel = "demo_wallet", account = 5 } end, "account is a text")
    t.equal(#t.http.requests(), 0)
  end,
  ["our own address is our own routes"] = function(t)
    local answer = t.truthy(http.get "http://127.0.0.1:8080/v1/ping")
    t.equal(answer.status, 200)
    t.equal(answer:json().pong, true)
    t.equal(http.get("http://localhost:8080/nothing").status, 404)
    t.equal(http.get("http://127.0.0.1:8081/v1/ping").status, 502)
  end,
  ["the whole operation, with its job"] = function(t)
    local made = core.operation.create { channel = "demo_wallet", reference = "whole-1",
      input = { amount = 25000, phone = "081234561111" } }
    t.truthy(made)
    t.clock.advance("10m")
    t.equal(core.operation.get(made.id).status, "processing")
  end,
} }
