-- expect: error|fine nil
return { run = function()
  return tostring((xml.decode("<!DOCTYPE a [<!ENTITY b \"x\">]><a>&b;</a>")))
end }
