-- expect: error
return { run = function()
  return string.char(256)
end }
