-- expect: error too long
return { run = function()
  return ("x"):rep(1000):rep(1000):rep(1000)
end }
