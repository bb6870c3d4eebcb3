-- expect: error
return { run = function()
  return utf8.char(-1)
end }
