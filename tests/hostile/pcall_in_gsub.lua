-- expect: budget
return { run = function()
  ("x"):gsub("x", function()
    while true do pcall(function() while true do end end) end
  end)
end }
