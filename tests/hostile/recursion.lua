-- expect: error|memory
return { run = function()
  local function f() return 1 + f() end
  return f()
end }
