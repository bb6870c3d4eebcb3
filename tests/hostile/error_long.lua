-- expect: error xxxx
return { run = function()
  error(("x"):rep(900000))
end }
