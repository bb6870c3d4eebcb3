-- expect: error not found
return { run = function()
  return require "cjson.so"
end }
