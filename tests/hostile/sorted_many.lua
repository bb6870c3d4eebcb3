-- expect: error|budget|memory
return { run = function()
  local t = {}
  for i = 1, 300000 do t[i] = 1 end
  for _ in sorted(t) do end
end }
