-- expect: error function value
return { run = function()
  error(function() end)
end }
