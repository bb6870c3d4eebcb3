-- expect: budget
return { run = function()
  local t = {}
  while true do t[("x"):rep(1000000)] = nil end
end }
