-- expect: budget|memory
return { run = function()
  local mt = {}
  local t = setmetatable({}, mt)
  mt.__mode = "k"
  local k = {}
  for i = 1, 30000 do
    local n = {}
    t[k] = n
    k = n
  end
  while true do local x = { {}, {} } end
end }
