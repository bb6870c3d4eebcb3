-- expect: error loop
return { run = function()
  local t = setmetatable({}, {})
  getmetatable(t).__index = t
  return t.x
end }
