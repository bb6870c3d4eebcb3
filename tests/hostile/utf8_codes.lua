-- expect: budget
return { run = function()
  while true do for _ in utf8.codes(("x"):rep(100000)) do end end
end }
