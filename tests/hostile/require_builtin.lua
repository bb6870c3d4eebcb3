-- expect: fine true
return { run = function()
  return require "string" == string
end }
