-- expect: error attempt to call
return { run = function()
  math.randomseed(1)
end }
