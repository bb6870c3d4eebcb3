-- expect: budget|error|memory
return { run = function()
  local function f(...) return f(1, ...) end
  return f()
end }
