-- expect: budget|error|memory
return { run = function()
  local function f() pcall(f) pcall(f) end
  f()
  while true do end
end }
