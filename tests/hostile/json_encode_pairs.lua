-- expect: fine string
return { run = function()
  return type(json.encode(setmetatable({}, { __pairs = function() while true do end end, __index = function() return 1 end })))
end }
