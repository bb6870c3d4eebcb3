-- expect: budget
return { run = function() while true do log.info("x", { n = 1 }) end end }
