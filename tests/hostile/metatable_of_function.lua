-- expect: fine nil
return { run = function()
  return tostring(getmetatable(print or error))
end }
