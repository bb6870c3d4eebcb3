-- expect: error loop
return { run = function()
  local t = {}
  setmetatable(t, { __index = t })
  return t.x
end }
