-- Tests of scripts/tools/@NAME@.lua
return {
  api = 1,
  tests = {
    ["it says what it does"] = function(t)
      local tool = t.load "scripts/tools/@NAME@.lua"
      t.equal(tool.args[1][1], "file")
    end,
  },
}
