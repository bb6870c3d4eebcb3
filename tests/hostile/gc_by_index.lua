-- expect: fine done
return { run = function()
  local mt = setmetatable({}, { __index = function() return function() while true do end end end })
  for i = 1, 1000 do setmetatable({}, mt) end
  for i = 1, 20000 do local t = { i } end
  return "done"
end }
