-- expect: error attempt to call
return { run = function()
  local _ENV = {}
  require("os")
end }
