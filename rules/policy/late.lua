-- rules/policy/late.lua: money that came after the payment's end counts within a day, and goes back after it.
-- What is not the very amount that was due waits for a person: counted, it would be too little or too much.
-- What the merchant cancelled is not sold any more, and goes back at once.
return {
  api = 1, kind = "policy", on = "late",
  decide = function(m)
    if m.amount_paid + m.amount ~= m.amount_due then return "wait" end
    if m.status == "cancelled" then return "refund" end
    return m.days_late <= 1 and "accept" or "refund"
  end,
}
