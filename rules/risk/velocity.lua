-- rules/risk/velocity.lua: one customer does not pay more than twenty times an hour.
return {
  api = 1, kind = "risk", priority = 100, facts = { "payments_per_customer_1h" },
  judge = function(p)
    if p.facts.payments_per_customer_1h > 20 then return deny "velocity" end
    return allow
  end,
}
