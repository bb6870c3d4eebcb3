-- expect: error invalid capture
return { run = function()
  return ("aa"):find("(a%1)")
end }
