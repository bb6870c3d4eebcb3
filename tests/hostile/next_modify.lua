-- expect: error invalid key
return { run = function()
  local t = { a = 1 }
  return next(t, "missing")
end }
