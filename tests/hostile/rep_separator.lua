-- expect: error too long
return { run = function()
  return ("x"):rep(1000, ("y"):rep(100000))
end }
