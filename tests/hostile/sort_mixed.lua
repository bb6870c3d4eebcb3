-- expect: error attempt to compare
return { run = function()
  table.sort({ 1, "a", {} })
end }
