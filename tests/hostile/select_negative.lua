-- expect: error out of range
return { run = function()
  return select(-5, 1)
end }
