-- expect: error too long
return { run = function()
  return ("xx"):rep(math.maxinteger)
end }
