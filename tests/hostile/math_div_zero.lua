-- expect: error zero
return { run = function()
  return 1 // 0
end }
