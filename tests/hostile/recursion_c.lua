-- expect: error overflow
return { run = function()
  local function f() return pcall(f) end
  local function g() return (("x"):gsub("x", g)) end
  return g()
end }
