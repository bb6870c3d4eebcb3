-- expect: error must return a string
return { run = function()
  return ("%s"):format(setmetatable({}, { __tostring = function() return {} end }))
end }
