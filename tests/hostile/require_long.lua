-- expect: error not found
return { run = function()
  return require(("x"):rep(100000))
end }
