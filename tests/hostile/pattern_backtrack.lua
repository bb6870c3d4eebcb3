-- expect: error too many steps
return { run = function()
  return ("a"):rep(60000):find(".-.-.-.-b")
end }
