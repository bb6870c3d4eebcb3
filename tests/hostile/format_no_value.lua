-- expect: error no value
return { run = function()
  return ("%d"):format()
end }
