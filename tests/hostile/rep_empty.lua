-- expect: fine 0
return { run = function()
  return #(""):rep(1e15)
end }
