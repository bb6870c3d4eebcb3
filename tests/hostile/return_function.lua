-- expect: error returns a table
return function() end
