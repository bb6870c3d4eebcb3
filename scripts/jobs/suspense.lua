-- scripts/jobs/suspense.lua: money that nobody has decided about. Callbacks that fitted no payment when they
-- came are booked once an attempt has their reference; after a quarter of an hour the money of the rest goes
-- to suspense, and a person finds it there. Late, short, over and second money of which the policy was not
-- asked (we died in between, or asking the provider found it) is decided; what is left to a person stays.
local function try(what, ok, why)
  if not ok then log.warn("suspense_left", { what = what, error = why or "" }) end
  return ok
end

return {
  api = 1, title = "Money in suspense", every = "15m", kind = "repeatable", timeout = "10m",
  run = function()
    if try("orphans", core.payment.adopt()) then try("orphans", core.payment.orphans()) end
    for _, movement in ipairs(core.payment.due "policy") do try("movement " .. movement, core.payment.policy(movement)) end
  end,
}
