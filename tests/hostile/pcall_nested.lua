-- expect: budget|memory
return { run = function()
  local function again()
    while true do pcall(again) end
  end
  again()
end }
