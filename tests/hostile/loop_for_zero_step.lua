-- expect: error step is zero
return { run = function()
  for i = 1, 10, 0 do end
end }
