-- expect: error
return { run = function()
  local t = {}
  for i = 1, 300 do t = setmetatable({}, { __call = t }) end
  return t()
end }
