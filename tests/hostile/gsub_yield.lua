-- expect: error
return { run = function()
  ("a"):gsub("a", function() engine.sleep(1) end)
end }
