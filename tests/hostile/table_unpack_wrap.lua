-- expect: error too many
return { run = function()
  return table.unpack({}, math.mininteger, math.maxinteger)
end }
