-- expect: budget
return { run = function()
  ("a"):gsub("a", setmetatable({}, { __index = function() while true do end end }))
end }
