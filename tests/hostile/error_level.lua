-- expect: error
return { run = function()
  error("x", 1000000)
end }
