-- expect: error
return { run = function()
  local s = ("x"):rep(1000)
  local t = {}
  t[s] = function() return t[s .. "y"].z end
  return t[s]()
end }
