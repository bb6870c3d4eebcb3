-- rules/policy/late.lua: money that came after the payment's end counts within a day, and goes back after it.
return { api = 1, kind = "policy", on = "late", decide = function(m) return m.days_late <= 1 and "accept" or "refund" end }
