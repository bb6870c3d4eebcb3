-- expect: fine done
for i = 1, 5000 do log.error("x", { i = i }) end
return { run = function() return "done" end }
