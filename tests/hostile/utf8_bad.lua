-- expect: error invalid UTF
return { run = function()
  for _ in utf8.codes("\xff") do end
end }
