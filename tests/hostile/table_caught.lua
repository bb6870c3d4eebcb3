-- expect: memory|budget
return { run = function()
  local keep = {}
  while true do
    pcall(function() while true do keep[#keep + 1] = {} end end)
  end
end }
