-- expect: budget
return { run = function()
  local mt = {}
  local t = setmetatable({}, mt)
  mt.__close = function() while true do end end
  while true do
    pcall(function()
      local x <close> = t
      while true do end
    end)
  end
end }
