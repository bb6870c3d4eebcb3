-- expect: fine false
return { run = function()
  return tostring(getmetatable(pending {}))
end }
