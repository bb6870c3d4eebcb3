-- expect: budget|memory
return { run = function()
  local mt = {}
  mt.__index = mt
  local first = {}
  local k, tables = first, {}
  for i = 1, 8000 do
    local t = setmetatable({}, mt)
    local n = {}
    t[n] = k
    k = n
    tables[i] = t
  end
  mt.__mode = "k"
  while true do local x = { {}, {} } end
end }
