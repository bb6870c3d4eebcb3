-- rules/policy/over.lua: more than was due: the payment is paid, the rest waits for a person. To give it back
-- by itself, return "refund".
return { api = 1, kind = "policy", on = "over", decide = function() return "wait" end }
