-- expect: error too many captures
return { run = function()
  return ("a"):rep(100):match(("(a)"):rep(40))
end }
