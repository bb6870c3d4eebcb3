-- expect: error protected metatable
return { run = function()
  return setmetatable(pending {}, {})
end }
