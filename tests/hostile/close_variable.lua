-- expect: error got a non-closable value
return { run = function()
  local mt = {}
  local t = setmetatable({}, mt)
  mt.__close = function() while true do pcall(function() while true do end end) end end
  local x <close> = t
  while true do end
end }
