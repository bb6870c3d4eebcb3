-- expect: fine done
return { run = function()
  local mt = {}
  for i = 1, 1000 do setmetatable({}, mt) end
  mt.__gc = function() while true do end end
  for i = 1, 20000 do local t = { i } end
  return "done"
end }
