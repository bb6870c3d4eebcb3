-- expect: error too many
return { run = function()
  return table.concat({}, "", math.mininteger, math.maxinteger)
end }
