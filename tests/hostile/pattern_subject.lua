-- expect: error longer than
return { run = function()
  return ("a"):rep(100000):find("b")
end }
