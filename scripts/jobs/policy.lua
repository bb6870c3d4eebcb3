-- scripts/jobs/policy.lua: late, short, over and second money that was booked and not decided about: we died
-- in between, or asking the provider found it. What is left to a person stays with him.
return {
  api = 1, title = "Money in suspense", every = "5m", kind = "repeatable", timeout = "10m",
  run = function()
    for _, movement in ipairs(core.payment.due "policy") do
      local ok, why = core.payment.policy(movement)
      if not ok then log.warn("policy_not_asked", { movement = movement, error = why or "" }) end
    end
  end,
}
