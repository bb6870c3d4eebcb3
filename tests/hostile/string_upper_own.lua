-- expect: fine evil
return { run = function()
  string.upper = function() return "evil" end
  return ("x"):upper()
end }
