-- expect: error longer than
return { run = function()
  return ("a"):find(("a"):rep(5000))
end }
