-- expect: budget|memory
return { run = function()
  local keep = {}
  for i = 1, 60000 do keep[i] = { i } end
  while true do local t = { {}, {}, {} } end
end }
