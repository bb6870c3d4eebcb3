-- expect: error attempt to perform arithmetic
return { run = function()
  return "10" + 5
end }
