-- rules/policy/second.lua: the same payment paid once more: nobody owes that twice, it goes back.
return { api = 1, kind = "policy", on = "second", decide = function() return "refund" end }
