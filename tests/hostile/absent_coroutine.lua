-- expect: error attempt to index
return { run = function()
  return coroutine.wrap(function() while true do end end)()
end }
