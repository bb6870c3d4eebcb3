-- Tests of channels/@NAME@.lua
local CHANNEL = "channels/@NAME@.lua"
local URL = "https://sandbox.@PROVIDER@.example/v1/virtual-accounts"
local op = { id = "op_1", reference = "r1", input = { amount = 25000 } }

return {
  api = 1,
  tests = {
    ["it declares what it needs"] = function(t)
      local channel = t.load(CHANNEL)
      t.equal(channel.provider, "@PROVIDER@")
      t.equal(channel.effect, "offer")
      t.equal(channel.limits.min, 10000)
    end,
    ["create shows a number"] = function(t)
      t.http.answer { method = "POST", url = URL, status = 200, json = { va_number = "8808123" } }
      local decision = t.call(CHANNEL, "create", op)
      t.equal(t.kind(decision), "pending")
      t.equal(decision.va_number, "8808123")
    end,
    ["no answer is unknown, never failed"] = function(t)
      t.http.answer { method = "POST", url = URL, fail = "timeout" }
      t.equal(t.kind(t.call(CHANNEL, "create", op)), "unknown")
    end,
    ["a paid number is a success"] = function(t)
      t.http.answer { method = "GET", url = URL .. "/r1", status = 200,
        json = { status = "PAID", payment_id = "p1", amount = 25000 } }
      t.equal(t.kind(t.call(CHANNEL, "inquire", op)), "success")
    end,
  },
}
