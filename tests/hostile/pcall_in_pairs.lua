-- expect: budget
return { run = function()
  for _ in pairs(setmetatable({}, { __pairs = function()
    while true do pcall(function() while true do end end) end
  end })) do end
end }
