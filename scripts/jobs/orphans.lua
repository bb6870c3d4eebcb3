-- scripts/jobs/orphans.lua: callbacks that fit no payment for a quarter of an hour: their money goes to
-- suspense, and a person finds it there.
return {
  api = 1, title = "Callbacks that fit nothing", every = "15m", kind = "repeatable",
  run = function()
    local ok, why = core.payment.orphans()
    if not ok then log.warn("orphans_left", { error = why or "" }) end
  end,
}
