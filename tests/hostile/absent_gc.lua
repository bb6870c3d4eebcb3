-- expect: error attempt to call
return { run = function()
  collectgarbage("stop")
end }
