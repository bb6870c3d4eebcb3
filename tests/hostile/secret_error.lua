-- expect: error userdata value
return { run = function()
  error(secret "BNI_KEY")
end }
