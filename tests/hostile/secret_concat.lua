-- expect: error
return { run = function()
  return secret "BNI_KEY" .. ""
end }
