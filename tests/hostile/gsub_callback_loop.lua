-- expect: budget
return { run = function()
  (("a"):rep(60000)):gsub("a", function() for i = 1, 100000 do end end)
end }
