-- expect: error
return { run = function()
  return ("a"):match(("("):rep(2000) .. "a" .. (")"):rep(2000))
end }
