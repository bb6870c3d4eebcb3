-- expect: budget
return { run = function()
  while true do for w in ("a b "):rep(1000):gmatch("%a+") do end end
end }
