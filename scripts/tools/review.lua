-- scripts/tools/review.lua: what risk rules held for a person:
--   luwak run scripts/tools/review.lua                      lists it, the oldest first
--   luwak run scripts/tools/review.lua pay_... release      it goes on: the payer chooses how to pay at its checkout
--   luwak run scripts/tools/review.lua pay_... refuse       it fails, FRAUD_DETECTED
local operator = require "operator_tool"

local HELD = [[SELECT n, id, merchant, order_id, amount, created, json_extract(doc, '$.risk') AS why FROM payment
  WHERE n > ?1 AND status = 'processing' AND attempt IS NULL ORDER BY n]]
local DECISIONS = { release = core.payment.release, refuse = core.payment.refuse }

return {
  api = 1, about = "Lists payments that risk rules held, and decides about one.",
  args = {
    { "payment", "text", "the payment; left out: all that are held", default = "" },
    { "decision", "text", "release or refuse", default = "" },
  },
  run = function(args, say)
    if args.payment == "" then
      local count = 0
      for row in operator.each(HELD) do
        say(("%s  %s  %s  order %s  %s"):format(row.id, operator.stamp(row.created), operator.rupiah(row.amount), row.order_id, row.why or ""))
        count = count + 1
      end
      return say(count == 0 and "nothing is held" or count .. " held")
    end
    local decide = DECISIONS[args.decision] or operator.stop("say release or refuse")
    local done, why = decide(args.payment)
    if not done then operator.stop(args.payment .. ": " .. why) end
    say(args.payment .. ": " .. (args.decision == "release" and "released" or "refused"))
  end,
}
