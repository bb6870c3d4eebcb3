-- expect: error pattern too complex
return { run = function()
  return ("a"):rep(1000):match(("a?"):rep(1000) .. ("a"):rep(1000))
end }
