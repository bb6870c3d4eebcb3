-- expect: error too many
return { run = function()
  table.move({}, 1, 1e9, 2)
end }
