-- expect: budget
return { run = function()
  local function again()
    while true do pcall(again) end
  end
  again()
end }
