-- expect: budget
return { run = function()
  local s = ("a"):rep(60000)
  while true do pcall(string.find, s, ".-.-.-.-b") end
end }
