-- expect: error too long
return { run = function()
  return string.packsize(("i16"):rep(100000))
end }
