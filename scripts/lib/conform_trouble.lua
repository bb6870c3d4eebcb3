-- scripts/lib/conform_trouble.lua: checks of what goes wrong: callbacks twice, out of order, forged, old;
-- money that is short, over, late, second or taken back; a provider that declines, does not answer,
-- breaks, or answers rubbish.
local DAY, HOUR = 86400000, 3600000

-- Sends a callback as it was sent.
local function send(r)
  return http.request { method = r.method, url = r.url, headers = r.headers, body = r.body, timeout = "30s" } or { status = 0 }
end

local function duplicate(w)
  if not w.hears then return "nobody calls us" end
  local p = w:open()
  if p.status == "success" then return "the call itself takes the money" end
  if not w:tell "duplicate" then return "its simulator calls once" end
  local from, said = w:sent(), w:pay()
  w:taken(said, "told twice")
  w:paid_once(p, "told twice")
  local heard = w:callbacks(from)
  w:expect(#heard >= 2, "the provider should have called twice, it did %d times", #heard)
  for i = 1, 3 do
    send(heard[1])
    if i == 2 then w:wait(2 * DAY) end
  end
  engine.sleep "1s"
  w:paid_once(p, "told once more two days later")
  w:books(said.amount, "told five times")
end

local function reorder(w)
  if not w.hears then return "nobody calls us" end
  local a = w:open()
  if a.status == "success" then return "the call itself takes the money" end
  if not w:tell "reorder" then return "its simulator keeps the order" end
  local order = w.request.order_id
  local first = w:pay(order)
  local b = w:open()
  local second = w:pay(w.request.order_id)
  w:taken(second, "out of order")
  w:reach(a, "success")
  w:reach(b, "success")
  w:paid_once(a, "told behind the second")
  w:paid_once(b, "told before the first")
  w:books(first.amount + second.amount, "two payments, told out of order")
end

-- Another amount than due: closed leaves the payment as it is, open counts it.
local function other_amount(word)
  return function(w)
    local p = w:open()
    if p.status == "success" then return "the call itself takes the money" end
    if not w:tell(word) then return "the provider takes no other amount" end
    local said, status = w:try_pay()
    if status ~= 200 then return "the provider takes no other amount" end
    w:expect(said.amount ~= p.amount_due, "the simulator took what was due")
    if w.asks then w:post(p, "sync") end
    engine.sleep "1s"
    local now = w:show(p)
    w:books(said.amount, word)
    if w.m.amounts == "closed" then
      w:expect(now.status ~= "success" and now.amount_paid == 0, "%s on a closed channel: %s, paid %d", word, now.status, now.amount_paid)
      w:expect(w.held() == said.amount, "the money waits for a person: %d of %d", w.held(), said.amount)
    elseif word == "short" then
      w:expect(now.status == "pending" and now.amount_paid == said.amount, "short on an open channel: %s, paid %d", now.status, now.amount_paid)
    else
      w:expect(now.status == "success", "over on an open channel: %s", now.status)
    end
    local told = w:events(p)
    w:expect(told[word == "short" and "payment.underpaid" or "payment.overpaid"], "the merchant heard of it: %s", json.encode(told))
  end
end

local function wrong_signature(w)
  if not w.hears then return "nobody calls us" end
  local p = w:open()
  if p.status == "success" then return "the call itself takes the money" end
  if not w:tell "wrong_signature" then return "its simulator signs what it says" end
  local said = w:pay()
  local first = said.callbacks and said.callbacks[1]
  w:expect(first and first.status and first.status >= 400 and first.status < 500, "wrongly signed, and answered %s",
    tostring(first and first.status))
  w:expect(w.came() == 0, "wrongly signed, and %d was booked", w.came())
  w:expect(w:show(p).status ~= "success", "wrongly signed, and believed")
  local now = w:reach(p, "success", 7 * DAY) -- told again, or asked
  w:paid_once(now, "told rightly at last")
  w:books(said.amount, "told rightly at last")
end

local function stale(w)
  local fresh = w.m.docs and w.m.docs.fresh
  if not w.hears then return "nobody calls us" end
  if not fresh then return "the age of its callbacks is not looked at (docs.fresh)" end
  local p = w:open()
  if p.status == "success" then return "the call itself takes the money" end
  local from = w:sent()
  w:tell "wrong_signature" -- so that it is told again, later: the one that is told now is not believed
  w:expect(w:tell "reorder", "its simulator keeps no callback back, so none is old")
  local said = w:pay()
  w:wait(time.duration(fresh) + 60000)
  w:tell "reset"
  engine.sleep "1s"
  local heard = w:callbacks(from)
  w:expect(#heard > 0, "the old callback never came")
  w:expect(heard[1].status and heard[1].status >= 400 and heard[1].status < 500, "older than %s, and answered %s", fresh, tostring(heard[1].status))
  local now = w:reach(p, "success", 7 * DAY)
  w:paid_once(now, "told anew")
  w:books(said.amount, "told anew")
end

local function late(w)
  if not w.offer then return "a charge has no end of its own" end
  local p = w:open()
  if not w:tell "late" then return "the provider takes no money after the end" end
  local said, status = w:try_pay()
  if status ~= 200 then return "the provider takes no money after the end" end
  w:expect(said.pays_at, "the simulator did not wait for the end")
  local ends = w:until_end(p)
  w:wait(DAY + HOUR)
  local now = w:show(p)
  w:expect(w:events(p)["payment.late"], "the merchant heard of late money: %s", json.encode(w:events(p)))
  w:books(said.amount, "late")
  if now.status == "success" then
    w:expect(now.amount_paid == now.amount_due, "accepted, and %d of %d is paid", now.amount_paid, now.amount_due)
  else
    w:expect(now.status == "expired" and now.amount_paid == 0, "late money, and the payment is %s", now.status)
  end
  w:expect(ends, "it ended")
end

local function twice(w)
  local p = w:paid()
  local came = w.came()
  local said, status = w:try_pay()
  if w.asks then w:post(p, "sync") end
  engine.sleep "1s"
  local now = w:show(p)
  w:expect(now.status == "success" and now.amount_paid == now.amount_due, "paid twice: %s, %d of %d", now.status, now.amount_paid, now.amount_due)
  w:books(came + (status == 200 and said.amount or 0), "paid twice")
  w:paid_once(p, "paid twice")
  if status ~= 200 then return "the provider takes one payment only, and its second is refused there" end
end

local function taken_back(w)
  local p = w:open()
  if p.status == "success" or not w:tell "deny_after_settlement" then return "the provider takes nothing back" end
  local said = w:pay()
  if not said.taken_back then return "the provider takes nothing of it back" end
  w:taken(said, "taken back")
  w:wait(HOUR)
  local now = w:show(p)
  w:expect(now.amount_reversed == said.amount, "taken back, and reversed is %d of %d", now.amount_reversed, said.amount)
  w:expect(w:events(p)["payment.reversed"], "the merchant heard of it")
end

---- the answer to a creation ----

local function refused(w)
  if not w:tell "refused" then return "its simulator never declines" end
  local p, answer = w:create()
  w:expect(answer.status == 201 and p.status == "failed", "declined: %d %s", answer.status, answer.body)
  w:expect(type(p.failure) == "table" and p.failure.code, "declined, and why is not said")
  w:books(0, "declined")
  w:paid_once(w:paid(), "after a decline")
end

-- Not known yet is processing, never failed: money may have moved.
local function unknown(w, what)
  local p, answer = w:create()
  w:expect(answer.status == 201, "%s: %d %s", what, answer.status, answer.body)
  w:expect(p.status ~= "failed" and p.status ~= "expired" and p.status ~= "cancelled", "%s is no failure, but the payment is %s", what, p.status)
  w:expect(p.status == "processing", "%s: expected processing, it is %s", what, p.status)
  return p
end

-- Nothing was made, nobody pays: it ends without money, or it was made after all and is paid once.
local function ends_without_money(w, p, what)
  for _ = 1, 30 do
    w:wait(HOUR)
    local now = w:show(p)
    if now.status ~= "processing" then break end
  end
  local now = w:show(p)
  w:expect(now.status ~= "success", "%s: nobody paid, and it is a success", what)
  w:expect(now.status ~= "processing" or not w.asks or w.m.lookup ~= "ours", "%s: after 30 hours nobody knows what became of it", what)
  w:books(0, what)
end

-- It was made: whoever can pay, pays, and it counts once.
local function found_and_paid(w, p, what)
  local said, status = w:try_pay()
  if status ~= 200 then -- paid by the call itself
    local now = w:reach(p, "success", 2 * DAY)
    w:books(now.amount_due, what)
    return
  end
  w:taken(said, what)
  w:reach(p, "success", 2 * DAY)
  w:paid_once(p, what)
  w:books(said.amount, what)
end

local function before(w)
  if not w:tell "timeout_before_debit" then return "nobody is called" end
  local p = unknown(w, "no answer")
  engine.sleep "60s"
  w:expect(w:show(p).status == "processing", "no answer within a minute, and the payment is %s", w:show(p).status)
  ends_without_money(w, p, "no answer, nothing made")
end

local function after(w)
  if not w:tell "timeout_after_debit" then return "nobody is called" end
  local p = unknown(w, "no answer")
  engine.sleep(w.offer and "60s" or "30s") -- a push to a phone ends after a minute, and that is a failure
  w:expect(w:show(p).status ~= "failed", "no answer is no failure")
  found_and_paid(w, p, "made, without an answer")
end

local function after_at_once(w)
  if not w:tell "timeout_after_debit" then return "nobody is called" end
  local p = unknown(w, "no answer")
  found_and_paid(w, p, "paid before we have given up")
  engine.sleep "60s"
  w:wait(DAY)
  w:paid_once(p, "a day later")
end

local function server_error(w)
  if not w:tell "server_error" then return "nobody is called" end
  ends_without_money(w, unknown(w, "HTTP 500"), "HTTP 500, nothing made")
end

local function rubbish(w)
  if not w:tell "rubbish" then return "nobody is called" end
  local p = unknown(w, "an answer that does not read")
  found_and_paid(w, p, "made, with an answer that does not read")
end

local function slow(w)
  if not w:tell "slow" then return "nobody is called" end
  local p = w:open()
  if p.status ~= "success" then
    w:taken(w:pay(), "slow")
    w:reach(p, "success")
  end
  w:paid_once(p, "slow")
end

local function maintenance(w)
  if not w:tell "maintenance" then return "nobody is called" end
  local p, answer = w:create()
  w:expect(answer.status == 201 or answer.status == 503, "maintenance: %d %s", answer.status, answer.body)
  w:expect(p.status ~= "success" and p.status ~= "pending", "in maintenance, and the payment is %s", tostring(p.status))
  w:tell "reset"
  if p.id and w.offer then
    ends_without_money(w, p, "maintenance")
  elseif p.id then -- tried again behind it: a charge waits for its payer, or there is none
    engine.sleep "60s"
    local said, status = w:try_pay()
    if status == 200 then
      w:taken(said, "after the maintenance")
      w:reach(p, "success")
      w:paid_once(p, "paid after the maintenance")
    else
      ends_without_money(w, p, "maintenance")
    end
  end
  w:paid_once(w:paid(), "after the maintenance")
end

local function cancel_unanswered(w)
  if not w.m.cancel or not w.remote then return "no cancel at the provider" end
  local p = w:open()
  if p.status == "success" then return "the call itself takes the money" end
  if not w:tell "timeout_after_debit" then return "its simulator always answers" end
  local answer = w:post(p, "cancel")
  w:expect(answer.status >= 200 and answer.status < 300, "cancel without an answer: %d %s", answer.status, answer.body)
  engine.sleep "60s"
  if w.m.docs and w.m.docs.cancel_asked == "never" then
    w:wait(2 * DAY)
    local now = w:show(p).status
    w:expect(now == "cancelled" or now == "expired", "cancelled without an answer, and it is %s", now)
  else
    w:reach(p, "cancelled", 2 * DAY)
  end
  w:books(0, "cancelled without an answer")
  local q = w:open()
  w:tell "timeout_before_debit"
  w:post(q, "cancel")
  engine.sleep "60s"
  w:wait(HOUR // 6)
  local then_ = w:show(q).status
  local said, status = w:try_pay()
  if status == 200 then
    w:expect(then_ ~= "cancelled", "a cancel that never came there is done with us, and the provider takes %d", said.amount)
    w:taken(said)
  end
end

---- who is believed ----

-- The callback says paid and is not believed, the answer says less; and a callback that is older than
-- what the provider says when it is asked.
local function disagree(w)
  if not w.asks or not w.hears then return "the provider says it in one way only" end
  local any = false
  local p = w:open()
  if p.status == "success" then return "the call itself takes the money" end
  if w:tell "wrong_signature" and w:tell "short" then
    local said, status = w:try_pay()
    if status == 200 then
      any = true
      local _, now = w:post(p, "sync")
      w:expect(w.m.amounts == "open" or now.status ~= "success", "asked, and told of %d of %d: it is a success", said.amount, now.amount_due)
      w:expect(w.came() == 0 or w.came() == said.amount, "asked: %d is booked, %d came", w.came(), said.amount)
    end
  end
  w:tell "reset"
  local q = w:open()
  local came = w.came()
  local order = w.request.order_id
  if w:tell("reorder", { order_id = order }) then
    local said = w:pay(order)
    local back = w:control { next = "deny_after_settlement", match = { order_id = order } }
    if back and back.status == 200 and back:json().taken_back then
      any = true
      w:tell "reset" -- the older callback comes behind the newer
      w:wait(HOUR)
      local now = w:show(q)
      local left = now.amount_paid - now.amount_reversed
      w:expect(left == 0, "paid, taken back, and told in the wrong order: %d of %d is left", left, said.amount)
      w:expect(w.came() - came <= said.amount, "told in the wrong order: %d came", w.came() - came)
    end
  end
  if not any then return "its simulator never disagrees with itself" end
end

-- Everything that logs something, and then the log is read: conform.lua does that behind each check.
local function logs(w)
  w:tell "server_error"
  w:create()
  w:tell "reset"
  local p = w:open()
  if p.status ~= "success" then
    w:tell "wrong_signature"
    w:pay()
    p = w:reach(p, "success", 7 * DAY)
  end
  if w.m.refund then w:post(p, "refunds", {}) end
  if w.m.cancel then w:post(w:open(), "cancel") end
  w:wait(DAY)
  w:expect(w.t.log() ~= "", "nothing was logged at all")
end

return {
  { "callback twice", duplicate },
  { "callbacks out of order", reorder },
  { "too little", other_amount "short" },
  { "too much", other_amount "over" },
  { "late", late },
  { "paid twice", twice },
  { "taken back", taken_back },
  { "wrong signature", wrong_signature },
  { "stale timestamp", stale },
  { "declined", refused },
  { "no answer, nothing made", before },
  { "no answer, but made", after },
  { "no answer, and paid at once", after_at_once },
  { "HTTP 500", server_error },
  { "an answer that does not read", rubbish },
  { "a slow answer", slow },
  { "maintenance", maintenance },
  { "cancel without an answer", cancel_unanswered },
  { "inquiry against callback", disagree },
  { "no secret in any log", logs },
}
