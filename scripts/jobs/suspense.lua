-- scripts/jobs/suspense.lua: money that nobody has decided about. Callbacks that fitted no payment when they
-- came are booked once an attempt has their reference; after a quarter of an hour the money of the rest goes
-- to suspense, and a person finds it there. Late, short, over and second money of which the policy was not
-- asked (we died in between, or asking the provider found it) is decided; what is left to a person stays.
local function each(what, run)
  local last
  repeat
    local ids, why = core.payment.due(what, last)
    if not ids then error(why) end
    for _, id in ipairs(ids) do
      local ok, text = run(id)
      if not ok then log.warn("suspense_left", { what = what .. " " .. id, error = text or "" }) end
    end
    last = ids[#ids]
  until #ids == 0
end

return {
  api = 1, title = "Money in suspense", every = "15m", kind = "repeatable", timeout = "10m",
  run = function()
    local last, why
    repeat
      last, why = core.payment.adopt(last)
      if why then log.warn("suspense_left", { what = "orphans", error = why }) end
    until not last
    each("orphans", core.payment.orphan)
    each("policy", core.payment.policy)
  end,
}
