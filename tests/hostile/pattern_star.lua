-- expect: error too many steps
return { run = function()
  return ("a"):rep(30000):match("a*a*a*a*a*b")
end }
