-- expect: fine table
return { run = function()
  return setmetatable({}, { __name = "pending" })
end }
