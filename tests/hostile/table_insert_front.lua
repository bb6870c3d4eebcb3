-- expect: budget
return { run = function()
  local t = {}
  while true do table.insert(t, 1, "x") end
end }
