-- expect: budget
return { run = function()
  return ("%s"):format(setmetatable({}, { __tostring = function() while true do end end }))
end }
