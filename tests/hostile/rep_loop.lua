-- expect: budget
return { run = function()
  while true do local s = ("x"):rep(1000000) end
end }
