-- expect: error too long
return { run = function()
  return (("a"):rep(60000):gsub("^a*", ("%0"):rep(60)))
end }
