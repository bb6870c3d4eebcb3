-- scripts/tools/unanswered.lua: what was sent to a provider and has no end yet, the oldest first:
--   luwak run scripts/tools/unanswered.lua            older than a day: look at the provider's own page
--   luwak run scripts/tools/unanswered.lua 5         older than five minutes
-- Nothing of it is failed: the engine goes on asking. What the provider's page shows comes in by its
-- callback, by the next question, or by `POST /v1/payments/{id}/sync`.
local operator = require "operator_tool"

local OPEN = [[SELECT id, kind, account, reference, status, coalesce(payment, '-') AS payment, coalesce(amount, 0) AS amount, created
  FROM operation WHERE status IN ('sending', 'processing', 'unknown') AND created <= ?1 ORDER BY created, id LIMIT 1000]]

return {
  api = 1, about = "Lists what was sent to a provider and has no answer yet.",
  args = { { "minutes", "int", default = 1440, doc = "how long it waits at least" } },
  run = function(args, say)
    local list = operator.select(OPEN, time.now() - args.minutes * 60000)
    for _, o in ipairs(list) do
      say(("%s  %s  %s  %s  %s  %s  %s  %s"):format(operator.stamp(o.created), o.status, o.kind, operator.rupiah(o.amount), o.account, o.reference,
        o.payment, o.id))
    end
    say(#list == 0 and "nothing waits that long for an answer" or #list == 1000 and "and more: 1,000 are shown" or #list .. " without an answer")
  end,
}
