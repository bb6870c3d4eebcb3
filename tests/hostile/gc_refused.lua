-- expect: error __gc is not allowed
return { run = function()
  setmetatable({}, { __gc = function() while true do end end })
end }
