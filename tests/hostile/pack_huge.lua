-- expect: error too large
return { run = function()
  return string.pack("c1000000000", "x")
end }
