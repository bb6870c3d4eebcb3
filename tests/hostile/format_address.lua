-- expect: fine table
return { run = function()
  return ("%s"):format({})
end }
