-- expect: error
return { run = function()
  local function f(n) if n == 0 then error("deep") end f(n - 1) return 1 end
  f(1000)
end }
