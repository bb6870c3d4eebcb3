-- expect: error invalid capture
return { run = function()
  return ("aa"):find("%1")
end }
