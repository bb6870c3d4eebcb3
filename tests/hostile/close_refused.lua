-- expect: error __close is not allowed
return { run = function()
  setmetatable({}, { __close = function() end })
end }
