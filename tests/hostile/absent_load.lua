-- expect: error attempt to call
return { run = function()
  return load("return 1")()
end }
