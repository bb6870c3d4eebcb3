-- expect: error returns a table
local x = 1
