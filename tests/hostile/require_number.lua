-- expect: error not found
return { run = function()
  return require(1)
end }
