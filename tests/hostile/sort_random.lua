-- expect: fine done
return { run = function()
  local t = {}
  for i = 1, 1000 do t[i] = i end
  local flip = false
  table.sort(t, function() flip = not flip return flip end)
  return "done"
end }
