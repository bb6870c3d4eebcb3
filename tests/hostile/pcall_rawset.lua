-- expect: budget
return { run = function()
  rawset(_ENV, "pcall", function(f, ...) return f(...) end)
  while true do pcall(function() while true do end end) end
end }
