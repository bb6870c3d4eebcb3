-- expect: error __len
return { run = function()
  table.remove(setmetatable({}, { __len = function() return 1 << 40 end }), 1)
end }
