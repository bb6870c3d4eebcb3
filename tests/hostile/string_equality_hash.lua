-- expect: budget
return { run = function()
  local t = {}
  for i = 1, 100 do t[("x"):rep(1000) .. i] = true end
  while true do local y = t[("x"):rep(1000) .. "1"] end
end }
