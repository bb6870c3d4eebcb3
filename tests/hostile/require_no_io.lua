-- expect: error not found
return { run = function()
  return require "io"
end }
