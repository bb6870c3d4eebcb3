-- expect: error attempt to call
return { run = function()
  xpcall(error, function() while true do end end)
end }
