-- scripts/jobs/orphans.lua: callbacks that fitted no payment when they came. What an attempt has the
-- reference of by now is booked; after a quarter of an hour the money of the rest goes to suspense, and a
-- person finds it there.
return {
  api = 1, title = "Callbacks that fit nothing", every = "15m", kind = "repeatable",
  run = function()
    local ok, why = core.payment.adopt()
    if ok then ok, why = core.payment.orphans() end
    if not ok then log.warn("orphans_left", { error = why or "" }) end
  end,
}
