-- expect: fine fake
return { run = function()
  return tostring(setmetatable({}, { __name = "fake" }))
end }
