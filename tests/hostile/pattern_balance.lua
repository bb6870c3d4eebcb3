-- expect: error too many steps
return { run = function()
  return ("("):rep(60000):find("%b()")
end }
