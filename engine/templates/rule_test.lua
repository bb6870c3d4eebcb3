-- Tests of rules/fees/@NAME@.lua
return {
  api = 1,
  tests = {
    ["two percent and its tax"] = function(t)
      local rule = t.load "rules/fees/@NAME@.lua"
      local fee = rule.fee { amount = 150000, currency = "IDR" }
      t.equal(fee.lines[1][2], 3000)
      t.equal(fee.lines[2][2], 330)
    end,
  },
}
