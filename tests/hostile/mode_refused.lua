-- expect: error __mode is not allowed
return { run = function()
  setmetatable({}, { __mode = "k" })
end }
