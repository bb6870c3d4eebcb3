-- expect: budget
return { run = function()
  local mt = { __eq = function() while true do end end }
  local a, b = setmetatable({}, mt), setmetatable({}, mt)
  return a == b
end }
