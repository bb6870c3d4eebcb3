-- expect: budget|memory
return { run = function()
  local function f() f() return 1 end
  while true do pcall(f) end
end }
