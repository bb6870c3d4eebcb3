-- expect: error attempt to index
return { run = function()
  getmetatable("").__index = nil
end }
