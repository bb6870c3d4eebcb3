-- expect: error too many
return { run = function()
  return table.concat({}, "", 1, math.maxinteger)
end }
