-- expect: error cannot be sorted
return { run = function()
  local t = {}
  for i = 1, 6 do t[i] = ("\0"):rep(1000000) .. (9 - i) end
  while true do table.sort(t) end
end }
