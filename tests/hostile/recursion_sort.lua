-- expect: error|budget
return { run = function()
  local function f(a, b) table.sort({ 2, 1 }, f) return a < b end
  f(1, 2)
end }
