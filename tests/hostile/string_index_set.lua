-- expect: error attempt to index
return { run = function()
  local s = "x"
  s.y = 1
end }
