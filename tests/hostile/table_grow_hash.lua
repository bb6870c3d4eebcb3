-- expect: memory|budget
return { run = function()
  local t = {}
  local i = 0.5
  while true do
    i = i + 1
    t[i] = true
  end
end }
