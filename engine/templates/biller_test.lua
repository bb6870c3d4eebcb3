-- Tests of scripts/billers/@NAME@.lua
return {
  api = 1,
  tests = {
    ["it names its upstream"] = function(t)
      local biller = t.load "scripts/billers/@NAME@.lua"
      t.equal(biller.upstream, "@PROVIDER@")
    end,
  },
}
