-- expect: error invalid replacement
return { run = function()
  ("a"):gsub("a", function() return {} end)
end }
