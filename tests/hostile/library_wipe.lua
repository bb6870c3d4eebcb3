-- expect: fine gone
return { run = function()
  for k in pairs(string) do string[k] = nil end
  for k in pairs(table) do table[k] = nil end
  return "gone"
end }
