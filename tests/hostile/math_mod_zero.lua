-- expect: error n%0
return { run = function()
  return 1 % 0
end }
