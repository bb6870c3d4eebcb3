-- expect: budget|memory|error
return { run = function()
  local s = ("a,b,c\n"):rep(10000)
  while true do csv.parse(s) end
end }
