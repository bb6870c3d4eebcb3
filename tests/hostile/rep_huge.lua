-- expect: error too long
return { run = function()
  return ("x"):rep(1e15)
end }
