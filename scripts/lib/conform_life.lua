-- scripts/lib/conform_life.lua: checks of a payment's life where everybody behaves: declared, created,
-- paid, told, found, expired, cancelled, given back.
local DAY = 86400000
local SHOWN = { virtual_account = { va_number = true, bill = true }, bank_transfer = { transfer = true, redirect = true }, qris = { qr = true },
  ewallet = { redirect = true, push = true, qr = true }, paylater = { redirect = true, form_post = true, push = true },
  card = { redirect = true, form_post = true }, retail = { retail = true } }
local FIELDS = { va_number = { "va_number" }, bill = { "biller_code", "bill_key" }, retail = { "payment_code" }, qr = { "qr_string" },
  redirect = { "redirect_url" }, form_post = { "url" }, transfer = { "account_number" } }

local function declares(w)
  local m = w.m
  w:expect(w.name:find("^" .. m.provider .. "_"), "the name begins with its provider's, %s_", m.provider)
  w:expect(m.limits and m.limits.max and m.limits.max >= (m.limits.min or 1), "limits: min and max are declared")
  w:expect(m.amounts, "amounts: closed or open is declared")
  w:expect(m.expires and m.expires.default, "expires.default is declared")
  w:expect(not w.remote or m.lookup, "lookup: whose reference it is asked by is declared")
  for _, env in ipairs { "sandbox", "production" } do
    w:expect(not w.remote or m.hosts[env], "hosts.%s is declared", env)
  end
  local keys = m.docs and m.docs.keys or {}
  local count = 0
  for _ in pairs(keys) do count = count + 1 end
  w:expect(next(m.config or {}) == nil or count > 0, "docs.keys says where its keys come from")
  w:expect(m.docs and m.docs.certainty, "docs.certainty says how certain its facts are")
end

local function create(w)
  local p = w:open()
  w:expect(p.amount_due == w.amount, "amount_due is %d, the order %d", p.amount_due, w.amount)
  w:expect(#p.attempts == 1 and p.attempts[1].channel == w.name, "one attempt, by this channel: %s", json.encode(p.attempts))
  w:expect(not w.offer or p.expires_at ~= json.null, "what is offered has an end")
  w:books(p.status == "success" and p.amount_due or 0, "created")
  if p.status == "success" then
    local said, status = w:try_pay()
    w:expect(status ~= 200, "it is a success, and the provider waits for its payer: %s", json.encode(said))
    return
  end
  local kind = type(p.instructions) == "table" and p.instructions.type
  if w.offer then w:expect(SHOWN[w.m.method][kind], "a payer by %s is not helped by instructions of type %s", w.m.method, tostring(kind)) end
  for _, field in ipairs(FIELDS[kind] or {}) do
    local value = p.instructions[field]
    w:expect(type(value) == "string" and value ~= "", "instructions.%s is missing", field)
  end
end

local function limits(w)
  local l = w.m.limits
  for _, amount in ipairs { l.min or 1, l.max } do
    local p = w:open { amount = amount }
    w:expect(p.amount_due == amount, "of %d, %d is due", amount, p.amount_due)
    if p.status ~= "success" then
      local said = w:pay()
      w:expect(said.amount == amount, "%d was ordered, the provider asks for %s", amount, tostring(said.amount))
      p = w:reach(p, "success")
    end
    w:paid_once(p, "an amount of " .. amount)
  end
  local out = { l.max + 1 }
  if (l.min or 1) > 1 then out[2] = l.min - 1 end
  for _, amount in ipairs(out) do
    local p, answer = w:create { amount = amount }
    w:expect(answer.status == 400 and p.param == "amount", "%d is out of its limits: %d %s", amount, answer.status, answer.body)
  end
end

local function callback(w)
  if not w.hears then return "nobody calls us" end
  local p = w:open()
  if p.status == "success" then return "the call itself takes the money" end
  local from = w:sent()
  local said = w:pay()
  w:taken(said)
  w:expect(#w:callbacks(from) > 0, "the provider has called nobody")
  w:expect(said.amount == p.amount_due, "%d is due, the provider took %s", p.amount_due, tostring(said.amount))
  local now = w:paid_once(p, "after the callback")
  local paid_at = type(now.paid_at) == "string" and time.parse(now.paid_at)
  w:expect(paid_at and math.abs(paid_at - w.t.clock.now()) < 120000, "paid just now, and paid_at is %s", tostring(now.paid_at))
  w:books(said.amount, "after the callback")
end

local function inquiry(w)
  if not w.asks then return "nobody can be asked" end
  local p = w:open()
  if p.status ~= "success" then
    if w.hears and not w:tell "reorder" then return "its simulator cannot keep a callback back" end
    local said = w:pay()
    w:expect(#(said.callbacks or {}) == 0, "the callback should be held back")
    local answer, now = w:post(p, "sync")
    w:expect(answer.status == 200, "sync: %d %s", answer.status, answer.body)
    w:expect(now.status == "success", "paid, and asked about it: %s", now.status)
    w:books(said.amount, "found by asking")
    w:tell "reset" -- the callback comes behind the answer, and is the same money
    engine.sleep "1s"
    w:books(said.amount, "told behind the answer")
  end
  w:paid_once(p, "found by asking")
end

local function again(w)
  local p = w:open()
  local second = w:ask("POST", "/v1/payments", w.request)
  w:expect(second.status == 200 and second:json().id == p.id, "the same order again: %d %s", second.status, second.body)
  local other = w:ask("POST", "/v1/payments", (function()
    local body = {}
    for name, value in pairs(w.request) do body[name] = value end
    body.amount, body.items = w.amount - 1 >= (w.m.limits.min or 1) and w.amount - 1 or w.amount + 1, nil
    return body
  end)())
  w:expect(other.status == 409, "the same order with another amount: %d %s", other.status, other.body)
  if p.status ~= "success" then
    w:pay()
    p = w:reach(p, "success")
  end
  w:paid_once(p, "asked for twice")
  w:books(p.amount_due, "asked for twice")
end

local function expiry(w)
  if not w.offer then return "a charge has no end of its own: it is asked about until it is known" end
  local p = w:open()
  w:until_end(p)
  local grace = w.m.expires.grace and time.duration(w.m.expires.grace) or 0
  w:wait(grace + 3600000)
  local now = w:reach(p, "expired", 2 * DAY)
  w:expect(now.amount_paid == 0, "nobody paid")
  w:expect(w:events(p)["payment.expired"] == 1, "payment.expired was told")
  local said, status = w:try_pay()
  w:expect(not w.remote or status ~= 200, "it is expired, and the provider still takes %s", tostring(said.amount))
  w:books(status == 200 and said.amount or 0, "expired")
  local next_one = w:open()
  w:expect(next_one.id ~= p.id, "the next payment is another one")
end

-- An end that the merchant has chosen is told to the provider.
local function chosen_end(w)
  if not w.offer then return "a charge has no end of its own" end
  if not w.remote then return "nobody is called" end
  if w.m.docs and w.m.docs.expiry == "fixed" then return "its end cannot be chosen" end
  local seconds = math.max(60, time.duration(w.m.expires.default) // 2000)
  local p = w:open { expires_in = seconds }
  local off = w:until_end(p) - time.parse(p.created_at) - seconds * 1000
  w:expect(math.abs(off) < 60000, "it ends %d s after what the merchant chose", off // 1000)
  local said, status = w:try_pay()
  w:expect(status ~= 200, "it has ended as the merchant chose, and the provider still takes %s", tostring(said.amount))
end

local function cancel(w)
  if not w.m.cancel then return "no cancel" end
  local p = w:open()
  if p.status == "success" then return "the call itself takes the money" end
  local answer, now = w:post(p, "cancel")
  w:expect(answer.status == 200, "cancel: %d %s", answer.status, answer.body)
  if now.status ~= "cancelled" then now = w:reach(p, "cancelled") end
  w:expect(now.amount_paid == 0, "nobody paid")
  w:expect(w:events(p)["payment.cancelled"] == 1, "payment.cancelled was told")
  local said, status = w:try_pay()
  w:expect(not w.remote or status ~= 200, "it is cancelled, and the provider still takes %s", tostring(said.amount))
  w:books(status == 200 and said.amount or 0, "paid after the cancel")
  w:expect(w:show(p).status ~= "pending", "it opened again")
end

local function cancel_paid(w)
  local p = w:paid()
  local answer, body = w:post(p, "cancel")
  w:expect(answer.status == 409 and body.code == "INVALID_STATE", "cancel of what is paid: %d %s", answer.status, answer.body)
  w:paid_once(p, "cancel of what is paid")
end

---- refunds ----

local function refunded(w, p, amount, more)
  local body = more or {}
  body.amount = amount
  local answer, r = w:post(p, "refunds", body)
  w:expect(answer.status == 201, "refund of %s: %d %s", tostring(amount), answer.status, answer.body)
  if r.status ~= "success" then engine.sleep "90s" end -- until a call without an answer is given up
  local waited = 0
  while r.status ~= "success" do
    w:expect(r.status == "pending" or r.status == "processing", "refund of %s: it is %s: %s", tostring(amount), r.status, json.encode(r))
    w:expect(waited < 3 * DAY, "refund of %s: still %s after three days", tostring(amount), r.status)
    w:wait(3600000)
    waited = waited + 3600000
    r = w:ask("GET", "/v1/refunds/" .. r.id):json()
  end
  return r
end

local function no_refunds(w, p)
  local answer, body = w:post(p, "refunds", {})
  w:expect(answer.status == 400 and body.param == "destination", "a refund by hand needs a destination: %d %s", answer.status, answer.body)
  return "the provider gives nothing back: by payout or by hand"
end

local function settled(w)
  local p = w:paid()
  w:wait(DAY) -- what a card's bank has captured settles by then
  return p
end

local function refund_full(w)
  local p = settled(w)
  if not w.m.refund then return no_refunds(w, p) end
  local r = refunded(w, p)
  w:expect(r.amount == p.amount_due, "all of %d: %d", p.amount_due, r.amount)
  local now = w:show(p)
  w:expect(now.status == "success" and now.amount_refunded == p.amount_due, "after a refund in full: %s, refunded %d", now.status, now.amount_refunded)
  local answer = w:post(p, "refunds", { amount = 1 })
  w:expect(answer.status >= 400 and answer.status < 500, "more than was paid: %d %s", answer.status, answer.body)
end

local function part_of(p) return math.max(1, p.amount_due // 3) end

local function refund_part(w)
  local p = settled(w)
  if not w.m.refund then return no_refunds(w, p) end
  if w.m.docs and w.m.docs.refunds == "whole" then return "all or nothing" end
  local part = part_of(p)
  refunded(w, p, part)
  w:expect(w:show(p).amount_refunded == part, "a third is given back")
  local answer = w:post(p, "refunds", { amount = p.amount_due })
  w:expect(answer.status >= 400 and answer.status < 500, "more than is left: %d %s", answer.status, answer.body)
  refunded(w, p, p.amount_due - part)
  w:expect(w:show(p).amount_refunded == p.amount_due, "the rest is given back")
end

-- Given back, and no answer: it is found, and not given back once more. What the provider has left is
-- what our books say.
local function refund_unanswered(w)
  if not w.m.refund then return "no refunds at the provider" end
  local p = settled(w)
  if not w:tell "timeout_after_debit" then return "its simulator always answers" end
  local docs = w.m.docs or {}
  local whole = docs.refunds == "whole" or docs.refunds_asked == "whole"
  local part = whole and p.amount_due or part_of(p)
  refunded(w, p, part)
  w:expect(w:show(p).amount_refunded == part, "given back without an answer: %d of %d", w:show(p).amount_refunded, part)
  if not whole then refunded(w, p, p.amount_due - part) end
  w:expect(w:show(p).amount_refunded == p.amount_due, "the rest is given back")
end

local function refund_refused(w)
  if not w.m.refund then return "no refunds at the provider" end
  local p = settled(w)
  if not w:tell "refused" then return "its simulator never declines" end
  local answer, r = w:post(p, "refunds", {})
  w:expect(answer.status == 201, "refund: %d %s", answer.status, answer.body)
  for _ = 1, 24 do
    if r.status == "failed" then break end
    w:wait(3600000)
    r = w:ask("GET", "/v1/refunds/" .. r.id):json()
  end
  w:expect(r.status == "failed", "the provider declined, the refund is %s", r.status)
  w:expect(w:show(p).amount_refunded == 0, "nothing was given back")
end

return {
  { "declares what people need", declares },
  { "create", create },
  { "the same order again", again },
  { "amounts at its limits", limits },
  { "paid, by callback", callback },
  { "paid, by inquiry", inquiry },
  { "expiry", expiry },
  { "an end that was chosen", chosen_end },
  { "cancel", cancel },
  { "cancel of a paid one", cancel_paid },
  { "refund in full", refund_full },
  { "refund in parts", refund_part },
  { "refund without an answer", refund_unanswered },
  { "refund declined", refund_refused },
}
