-- expect: error %p
return { run = function()
  return ("%p"):format({})
end }
