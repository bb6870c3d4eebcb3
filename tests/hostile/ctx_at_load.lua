-- expect: error
local f = ctx.http
return {}
