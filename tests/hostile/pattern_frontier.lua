-- expect: error missing
return { run = function()
  return ("a"):find("%f")
end }
