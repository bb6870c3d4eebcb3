-- expect: fine integer
return { run = function()
  return math.type(math.random(math.mininteger, math.maxinteger))
end }
