-- expect: budget
return { run = function()
  local mt = {}
  local t = setmetatable({}, mt)
  mt.__close = function(_, e) error(e) end
  while true do
    pcall(function()
      local a <close> = t
      local b <close> = t
      error("x")
    end)
  end
end }
