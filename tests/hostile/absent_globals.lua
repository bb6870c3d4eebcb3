-- expect: fine none
return { run = function()
  local names = { "coroutine", "debug", "os", "io", "package", "load", "loadstring", "loadfile", "dofile",
    "xpcall", "collectgarbage", "print", "warn", "_G", "getfenv", "setfenv", "newproxy", "module", "arg" }
  for _, name in ipairs(names) do
    if _ENV[name] ~= nil then return name end
  end
  return "none"
end }
