-- expect: budget
return { run = function()
  for i = 1, math.huge do end
end }
