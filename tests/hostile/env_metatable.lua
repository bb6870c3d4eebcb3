-- expect: fine false
return { run = function()
  return tostring(getmetatable(_ENV))
end }
