-- expect: error|fine nil
return { run = function()
  local t = {}
  t.t = t
  return tostring((json.encode(t)))
end }
