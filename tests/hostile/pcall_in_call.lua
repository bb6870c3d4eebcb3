-- expect: budget|memory
return { run = function()
  local t = setmetatable({}, { __call = function(self) while true do pcall(self) end end })
  t()
end }
