-- expect: budget|memory
return { run = function()
  local t = {}
  local i = 0
  while true do
    i = i + 1
    t[i] = "k" .. i
  end
end }
