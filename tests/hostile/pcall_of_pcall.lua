-- expect: budget
return { run = function()
  while true do pcall(pcall, pcall, pcall, error, "x") end
end }
