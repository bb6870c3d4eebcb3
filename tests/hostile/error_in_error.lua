-- expect: error
return { run = function()
  pcall(error, setmetatable({}, { __index = error }))
  error("x")
end }
