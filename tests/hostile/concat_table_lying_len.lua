-- expect: error __len
return { run = function()
  return table.concat(setmetatable({}, { __len = function() return 1e15 // 1 | 0 end }), "x")
end }
