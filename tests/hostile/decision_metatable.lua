-- expect: error plain table
return { run = function()
  return pending(setmetatable({}, { __index = function() while true do end end }))
end }
