-- expect: fine false
return { run = function()
  return tostring(getmetatable(secret "BNI_KEY"))
end }
