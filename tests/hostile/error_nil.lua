-- expect: error nil value
return { run = function()
  error(nil)
end }
