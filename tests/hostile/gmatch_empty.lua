-- expect: fine 60001
return { run = function()
  local n = 0
  for _ in ("a"):rep(60000):gmatch("") do n = n + 1 end
  return n
end }
