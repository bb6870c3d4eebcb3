-- expect: budget
return { run = function()
  table.sort({ 3, 2, 1 }, function(a, b)
    while true do pcall(function() while true do end end) end
  end)
end }
