-- expect: error variable 'x' got a non-closable value
return { run = function()
  local t = setmetatable({}, {})
  getmetatable(t).__close = function() while true do end end
  local x <close> = t
end }
