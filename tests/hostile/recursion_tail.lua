-- expect: budget
return { run = function()
  local function f() return f() end
  return f()
end }
