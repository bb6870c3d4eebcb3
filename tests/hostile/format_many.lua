-- expect: error too long
return { run = function()
  local s = ("x"):rep(1000000)
  return ("%s%s%s"):format(s, s, s)
end }
