-- expect: budget
return { run = function()
  local s = ("x"):rep(1000000)
  while true do s:reverse() end
end }
