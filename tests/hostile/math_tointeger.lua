-- expect: error no integer representation
return { run = function()
  return 1 << 1.5
end }
