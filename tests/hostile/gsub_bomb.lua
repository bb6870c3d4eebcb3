-- expect: error too long
return { run = function()
  return (("a"):rep(60000):gsub("a", ("b"):rep(60000)))
end }
