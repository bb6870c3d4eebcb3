-- expect: budget
return { run = function()
  local set = "[" .. ("b"):rep(4000) .. "]"
  local s = ("a"):rep(60000)
  while true do pcall(string.find, s, set) end
end }
