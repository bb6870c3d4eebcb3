-- expect: error NaN
return { run = function()
  local t = {}
  t[0 / 0] = 1
end }
