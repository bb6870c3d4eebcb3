-- expect: error attempt to index
return { run = function()
  return os.getenv("HOME")
end }
