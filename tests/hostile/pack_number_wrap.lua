-- expect: error too large
return { run = function()
  return string.pack("c18446744073709551617", "x")
end }
