-- expect: error too many
return { run = function()
  return table.unpack({}, 1, 1e8)
end }
