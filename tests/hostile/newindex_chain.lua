-- expect: error loop
return { run = function()
  local t = {}
  setmetatable(t, { __newindex = t })
  t.x = 1
end }
