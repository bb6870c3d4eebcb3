-- expect: memory|budget
return { run = function()
  local t = {}
  while true do t[#t + 1] = function() return t end end
end }
