-- expect: memory
return { run = function()
  local s = ("x"):rep(600000)
  while true do pcall(function() return s .. s end) end
end }
