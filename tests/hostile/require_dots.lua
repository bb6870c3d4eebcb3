-- expect: error not found
return { run = function()
  return require "lib.../x"
end }
