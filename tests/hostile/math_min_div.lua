-- expect: fine min
return { run = function()
  return math.mininteger // -1 == math.mininteger and "min" or "other"
end }
