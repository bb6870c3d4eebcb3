-- expect: budget
return { run = function()
  local ok = pcall(function() while true do end end)
  return ok and "lived" or "caught"
end }
