-- expect: fine 1
return { run = function()
  local mt = {}
  local t = setmetatable({}, mt)
  mt.__mode = "k"
  getmetatable(t).__mode = "k"
  t[{}] = 1
  for i = 1, 200000 do local x = { i } end -- the collector has been by
  local n = 0
  for _ in pairs(t) do n = n + 1 end
  return n
end }
