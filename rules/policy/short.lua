-- rules/policy/short.lua: less than was due: the payer may send the rest, and a person looks at it.
return { api = 1, kind = "policy", on = "short", decide = function() return "wait" end }
