-- expect: error
return { run = function()
  return ("%"):format(1)
end }
