-- expect: memory|budget
return { run = function()
  local t = {}
  while true do t = { t } end
end }
