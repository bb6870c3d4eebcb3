-- expect: error attempt to call
return { run = function()
  return string.dump(function() end)
end }
