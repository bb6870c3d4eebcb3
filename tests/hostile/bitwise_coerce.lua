-- expect: budget
return { run = function()
  local s = ("0"):rep(1000000) .. "1"
  while true do pcall(function() return s | 1 end) end
end }
