-- expect: error table value
return { run = function()
  error(setmetatable({}, { __name = ("x"):rep(100000) }))
end }
