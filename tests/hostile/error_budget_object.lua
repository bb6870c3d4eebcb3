-- expect: fine nil
return { run = function()
  local seen
  local mt = {}
  local t = setmetatable({}, mt)
  mt.__close = function(_, e) seen = e end
  pcall(function()
    local x <close> = t
    while true do end
  end)
  return tostring(seen)
end }
