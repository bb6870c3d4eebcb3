-- expect: error malformed
return { run = function()
  return ("a"):find("[a")
end }
