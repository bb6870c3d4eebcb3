-- expect: error got a non-closable value
return { run = function()
  local mt = {}
  local t = setmetatable({}, mt)
  mt.__close = function() while true do end end
  for _ in function() return 1 end, nil, nil, t do
    break
  end
end }
