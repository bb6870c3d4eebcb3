-- expect: error
return { run = function()
  return ("%s"):format(secret "BNI_KEY")
end }
