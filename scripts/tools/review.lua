-- scripts/tools/review.lua: what risk rules held for a person, and his decision:
--   luwak run scripts/tools/review.lua list
--   luwak run scripts/tools/review.lua approve pay_... --who NAME
--   luwak run scripts/tools/review.lua decline pay_... --who NAME
-- Approved, it goes on as if nobody had objected; declined, it failed as FRAUD_DETECTED. Either leaves a line in
-- the audit log.
local operator = require "operator_tool"

local HELD = [[SELECT id, merchant, order_id, amount, coalesce(method, '-') AS method, created,
  coalesce(json_extract(CAST(doc AS TEXT), '$.risk'), '') AS why FROM payment WHERE status = 'processing' AND attempt IS NULL ORDER BY n]]

return {
  api = 1, about = "Shows payments that a risk rule held, and lets them go or declines them.",
  args = {
    { "decision", "text", doc = "list, approve or decline" },
    { "payment", "text", default = "-", doc = "pay_..., of approve and decline" },
    { "who", "text", default = "-", doc = "who decides; it stands in the audit log" },
  },
  run = function(args, say)
    if args.decision == "list" then
      local held = operator.select(HELD)
      if #held == 0 then say("none: no payment is held for a person") end
      for _, p in ipairs(held) do
        say(("%s  %s  %s  %s  %s  %s  %s"):format(p.id, p.merchant, p.order_id, operator.rupiah(p.amount), p.method, operator.stamp(p.created), p.why))
      end
      return
    end
    if args.decision ~= "approve" and args.decision ~= "decline" then operator.stop("say list, approve or decline") end
    if args.payment == "-" then operator.stop("which payment? list shows them") end
    if args.who == "-" then operator.stop("--who is missing: who decides?") end
    local done, why = core.payment.review(args.payment, args.decision, "operator " .. args.who)
    if not done then operator.stop(args.payment .. ": " .. why) end
    say(args.payment .. (args.decision == "approve" and " goes on" or " is declined"))
  end,
}
