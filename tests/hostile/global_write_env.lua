-- expect: error is not declared
return { run = function()
  _ENV.leak = 1
end }
