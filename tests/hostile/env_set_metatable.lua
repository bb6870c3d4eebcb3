-- expect: error protected metatable
return { run = function()
  setmetatable(_ENV, {})
end }
