-- expect: error __gc is not allowed
return { run = function()
  local mt = {}
  local t = setmetatable({}, mt)
  mt.__gc = function() end
  setmetatable(t, mt)
end }
