-- expect: error not found
return { run = function()
  return require "os"
end }
