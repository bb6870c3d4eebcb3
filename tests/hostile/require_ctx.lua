-- expect: error not found
return { run = function()
  return require "ctx"
end }
