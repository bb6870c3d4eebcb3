-- expect: budget
return { run = function()
  ::again:: goto again
end }
