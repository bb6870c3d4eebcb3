-- expect: fine done
return { run = function()
  local t = {}
  for i = 1, 1000 do t["f" .. i] = ("x"):rep(10) end
  log.debug("x", t)
  return "done"
end }
