-- expect: fine done
return { run = function()
  local t = {}
  for i = 1, 16 do t["f" .. i] = ("x"):rep(1000) end
  for _ = 1, 90 do log.warn("x", t) end
  return "done"
end }
