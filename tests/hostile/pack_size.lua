-- expect: error too large
return { run = function()
  return string.pack("!1000000000 i", 1)
end }
