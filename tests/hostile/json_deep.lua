-- expect: error|fine nil
return { run = function()
  return tostring((json.decode(("["):rep(60000))))
end }
