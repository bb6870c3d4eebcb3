-- expect: error
return { run = function()
  return tostring(secret "BNI_KEY")
end }
