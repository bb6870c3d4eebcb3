-- scripts/jobs/reconcile.lua: each morning: what providers should have paid out by now and did not. Files
-- are read by scripts/tools/reconcile.lua; what it books is what this does not find any more.
local settlement = require "settlement"

local DAYS = 5 -- T+1 to T+3 working days is usual, and a weekend

return {
  api = 1, title = "Money that providers owe", every = "1d at 07:00", kind = "repeatable", timeout = "30m",
  run = function()
    local accounts, why = store.query "accounts_with_money"
    if not accounts then error(why) end
    for _, a in ipairs(accounts) do
      local report = settlement.overdue(a.account, DAYS)
      if report.counts.missing > 0 then
        log.warn("settlement_overdue", { account = a.account, movements = report.counts.missing })
      end
    end
  end,
}
