-- expect: budget
return { run = function()
  for i = math.mininteger, math.maxinteger do end
end }
