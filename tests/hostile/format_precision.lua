-- expect: error
return { run = function()
  return ("%.1000000f"):format(1)
end }
