-- expect: error not found
return { run = function()
  return require "os\0x"
end }
