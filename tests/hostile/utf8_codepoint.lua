-- expect: error|memory
return { run = function()
  return select("#", utf8.codepoint(("x"):rep(1000000), 1, -1))
end }
