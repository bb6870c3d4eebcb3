-- expect: budget|memory|error
return { run = function()
  local s = ("a=b&"):rep(10000)
  while true do form.decode(s) end
end }
