-- expect: error invalid use
return { run = function()
  ("a"):gsub("a", "%z")
end }
