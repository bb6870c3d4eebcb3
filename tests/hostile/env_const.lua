-- expect: fine nil
return { run = function()
  local function f()
    local _ENV <const> = {}
    return nothing
  end
  return tostring(f())
end }
