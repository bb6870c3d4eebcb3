-- expect: error|budget|memory
return { run = function()
  local t = {}
  for i = 1, 7000 do t[i] = i end
  local function f(...) return f(..., table.unpack(t)) end
  return f(table.unpack(t))
end }
