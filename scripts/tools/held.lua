-- scripts/tools/held.lua: what waits for a person: money in suspense, and refunds that are paid by hand.
--   luwak run scripts/tools/held.lua list
--   luwak run scripts/tools/held.lua accept 12 --who NAME            money 12 counts for its payment
--   luwak run scripts/tools/held.lua back 12 --who NAME              it goes back: a refund by hand, re_...
--   luwak run scripts/tools/held.lua own 12 pay_... --who NAME       nobody's money is this payment's
--   luwak run scripts/tools/held.lua same 12 pay_... --who NAME      it is what polling had booked for this payment: booked once
--   luwak run scripts/tools/held.lua look re_... --who NAME          where it is to be paid to
--   luwak run scripts/tools/held.lua done re_... --who NAME          it was paid
--   luwak run scripts/tools/held.lua failed re_... "why" --who NAME  it could not be: the money is held again
-- Each leaves a line in the audit log, looking too.
local operator = require "operator_tool"

local MONEY = [[SELECT m.id AS n, m.at, m.account, m.held, m.why, coalesce(m.money_id, '-') AS money_id, coalesce(m.payment, '-') AS payment,
  coalesce(p.order_id, '-') AS order_id, coalesce(p.status, '-') AS status FROM movement m LEFT JOIN payment p ON p.id = m.payment
  WHERE m.held > 0 AND m.id > ?1 ORDER BY m.id]]
local REFUNDS = [[SELECT n, id, created, amount, payment, by, coalesce(reason, '-') AS reason FROM refund
  WHERE status IN ('pending', 'processing') AND by <> 'provider' AND n > ?1 ORDER BY n]]
local SAYS = { accept = "counts", back = "goes back by", done = "is paid", failed = "has failed; the money is held again" }

local function list(say)
  local count, sum = 0, 0
  for m in operator.each(MONEY) do
    say(("money %d  %s  %s  %s  %s  %s  %s  %s  %s"):format(m.n, operator.stamp(m.at), operator.rupiah(m.held), m.why, m.account, m.money_id, m.payment,
      m.order_id, m.status))
    count, sum = count + 1, money.add(sum, m.held)
  end
  say(("%d held: %s"):format(count, operator.rupiah(sum)))
  count, sum = 0, 0
  for r in operator.each(REFUNDS) do
    say(("refund %s  %s  %s  by %s  %s  %s"):format(r.id, operator.stamp(r.created), operator.rupiah(r.amount), r.by, r.payment, r.reason))
    count, sum = count + 1, money.add(sum, r.amount)
  end
  say(("%d to be paid by hand: %s"):format(count, operator.rupiah(sum)))
end

return {
  api = 1, about = "Shows money in suspense and refunds by hand, and does what a person decides about them.",
  args = {
    { "decision", "text", doc = "list; accept, back, own or same; look, done or failed" },
    { "id", "text", default = "-", doc = "the money's number, or re_..." },
    { "more", "text", default = "-", doc = "pay_..., of own and same; why, of failed" },
    { "who", "text", default = "-", doc = "who decides; it stands in the audit log" },
  },
  run = function(args, say)
    local word = args.decision
    if word == "list" then return list(say) end
    local refund = word == "look" or word == "done" or word == "failed"
    local names = word == "own" or word == "same"
    if not refund and not (word == "accept" or word == "back" or names) then
      operator.stop("say list; accept, back, own or same; look, done or failed")
    end
    local id = refund and args.id or math.tointeger(tonumber(args.id))
    if args.id == "-" or not id then operator.stop(refund and "which refund? list shows them" or "which money? list shows its number") end
    if names and args.more == "-" then operator.stop("whose is it? " .. word .. " NUMBER pay_...") end
    if args.who == "-" then operator.stop("--who is missing: who decides?") end
    local done, why = core.payment.decide(word, id, "operator " .. args.who, args.more ~= "-" and args.more or nil)
    if not done then operator.stop(args.id .. ": " .. why) end
    if word == "look" then
      say(("%s  %s  %s"):format(done.bank, done.account_number, done.account_holder))
    elseif word == "same" then
      say(args.id .. " is what polling had booked for " .. args.more .. ", and is booked once now")
    elseif word == "own" then
      say(args.id .. " is " .. args.more .. "'s: " .. done)
    else
      say(args.id .. " " .. SAYS[word] .. (word == "back" and " " .. done .. ", once somebody has paid it" or ""))
    end
  end,
}
