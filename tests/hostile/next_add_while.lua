-- expect: budget|error|memory
return { run = function()
  local t = { 1 }
  for k in pairs(t) do t[k .. "x"] = 1 end
  while true do end
end }
