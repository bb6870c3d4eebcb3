-- expect: error interval is empty
return { run = function()
  return math.random(2, 1)
end }
