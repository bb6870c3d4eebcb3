-- expect: error
return { run = function()
  return ("%1000000d"):format(1)
end }
