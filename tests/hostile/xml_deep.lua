-- expect: error|fine nil
return { run = function()
  return tostring((xml.decode(("<a>"):rep(20000))))
end }
