-- expect: error|budget
return { run = function()
  local function f() return (("a"):gsub("a", f)) end
  return f()
end }
