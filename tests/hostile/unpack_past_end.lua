-- expect: error
return { run = function()
  return string.unpack("s8", ("\255"):rep(8))
end }
