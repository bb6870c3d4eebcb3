-- expect: budget
return { run = function()
  local t = setmetatable({}, { __index = function(t, k)
    while true do pcall(function() while true do end end) end
  end })
  return t.x
end }
