-- examples/import_phones.lua: what it declares; the e2e tests run it.
return { tests = {
  ["it says what it wants"] = function(t)
    local tool = t.load "examples/import_phones.lua"
    t.equal(tool.args[1][1], "file")
    t.truthy(tool.about:find("CSV", 1, true))
  end,
} }
