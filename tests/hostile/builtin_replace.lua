-- expect: error is not declared
return { run = function()
  notpcall = function() end
end }
