-- expect: error inner
return { run = function()
  ("a"):gsub("a", function() error("inner") end)
end }
