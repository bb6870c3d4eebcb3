-- expect: budget
return { run = function()
  local s = ("x"):rep(1000000)
  while true do crypto.sha256(s) end
end }
