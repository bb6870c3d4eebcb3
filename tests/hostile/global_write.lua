-- expect: error is not declared
return { run = function()
  leak = 1
end }
