-- expect: fine 0
return { run = function()
  return 1 << 64
end }
