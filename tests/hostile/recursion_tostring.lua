-- expect: error
return { run = function()
  local t = setmetatable({}, { __tostring = function(x) return tostring(x) end })
  return tostring(t)
end }
