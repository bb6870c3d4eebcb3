-- expect: fine nil
return { run = function()
  return tostring(getmetatable(nil))
end }
