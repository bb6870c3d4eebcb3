-- expect: error not found
return { run = function()
  return require "../../etc/passwd"
end }
