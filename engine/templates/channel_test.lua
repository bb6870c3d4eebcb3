-- Tests of channels/@NAME@.lua
return {
  api = 1,
  tests = {
    ["it declares what it needs"] = function(t)
      local channel = t.load "channels/@NAME@.lua"
      t.equal(channel.provider, "@PROVIDER@")
      t.equal(channel.effect, "offer")
      t.equal(channel.limits.min, 10000)
    end,
  },
}
