-- expect: error has no order
return { run = function()
  for _ in sorted({ [{}] = 1 }) do end
end }
