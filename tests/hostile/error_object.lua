-- expect: error table value
return { run = function()
  error(setmetatable({}, { __tostring = function() while true do end end }))
end }
