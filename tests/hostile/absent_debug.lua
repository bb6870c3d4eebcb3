-- expect: error attempt to index
return { run = function()
  return debug.getinfo(1)
end }
