-- expect: error
return { run = function()
  table.move({}, math.mininteger, math.maxinteger, 2)
end }
