-- expect: fine 0
return { run = function()
  return select("#", select(1e9 // 1 | 0, 1))
end }
