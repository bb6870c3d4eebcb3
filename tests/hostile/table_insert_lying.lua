-- expect: error __len
return { run = function()
  table.insert(setmetatable({}, { __len = function() return 1 << 40 end }), 1, "x")
end }
