-- scripts/lib/sandbox_doku_payer.lua: somebody pays at DOKU's simulator, or declines, and DOKU tells of it, signed as
-- its two families of calls are; three times more where it is not heard.
--
-- DOKU documents no way in which a settled payment is taken back, so `deny_after_settlement` makes no
-- sense here.
local simulator = require "simulator"
local rules = require "sandbox_doku"
local books = require "sandbox_doku_books"

local find, change, seen, wib = books.find, books.change, books.seen, books.wib
local LOOK_MS = 60000 -- when it is looked whether it was told
local RETRIES = { 30 * 60000, 6 * 3600000, 12 * 3600000 }

local sim

---- what DOKU tells ----

-- As DOKU prints it for QRIS: an amount with decimals, and no date.
local function qris_text(note)
  note.transaction.date = nil
  return (json.encode(note):gsub('("amount":)(%d+)', "%1%2.00"))
end

-- DOKU asks its customer for a token, signed with its key, and tells with it.
local function snap_headers(ctx, caller, path, body)
  local at, id = wib(ctx.now()), caller.client_id
  local said = ctx.http.post { url = simulator.HOME .. rules.home(caller.account) .. "/authorization/v1/access-token/b2b", json = { grantType = "client_credentials" }, timeout = "15s",
    headers = { ["X-CLIENT-KEY"] = id, ["X-TIMESTAMP"] = at, ["X-SIGNATURE"] = crypto.rsa_sign(ctx.config.private_key, id .. "|" .. at) } }
  local given = said and said:json()
  local token = type(given) == "table" and given.accessToken
  if not token then return nil, "no token was given: HTTP " .. tostring(said and said.status) end
  return { ["Content-Type"] = "application/json", ["Authorization"] = "Bearer " .. token, ["X-PARTNER-ID"] = id, ["X-TIMESTAMP"] = at,
    ["X-EXTERNAL-ID"] = crypto.uuid(), ["CHANNEL-ID"] = "H2H", ["X-SIGNATURE"] = rules.snap_signature(caller.secret, "POST", path, token, body, at) }
end

local function sign(ctx, cb)
  local path = cb.url:match "^https?://[^/]+(/.*)$" or "/"
  local caller = rules.customer(ctx, cb.scheme.client_id)
  if not caller then return nil, "DOKU knows no such customer any more" end
  if cb.scheme.snap then return snap_headers(ctx, caller, path, cb.body) end
  return rules.plain_headers(ctx, caller, path, cb.body)
end

local HEARD_AT = { va = "/v1/transfer-va/payment", debit = "/v1.0/debit/notify" }

local function tell(ctx, arg)
  local order = find(ctx, arg.ref)
  if not order or not order.owes then return json.array {} end
  local function kept() simulator.told(ctx, "order " .. order.id, order.owes) end
  if order.channel == "EMONEY_OVO" then -- it answers, and tells nobody
    kept()
    return json.array {}
  end
  local snap, home = HEARD_AT[order.kind], simulator.HOME .. rules.home(order.account)
  local url = snap and home .. snap or order.url or order.account ~= "" and home or simulator.HOME .. "/callbacks/doku"
  local body
  if order.kind == "va" then
    body = json.encode(books.va_note(order))
  elseif order.kind == "debit" then
    body = json.encode(books.debit_note(order))
  else
    body = order.channel == "QRIS" and qris_text(books.order_note(order)) or json.encode(books.order_note(order, order.owes))
  end
  local cb = { url = url, scheme = { snap = snap ~= nil, client_id = order.client_id }, body = body, facts = { order_id = order.ref }, kept = kept }
  function cb.spoil()
    local headers = sign(ctx, cb) or {}
    local name = snap and "X-SIGNATURE" or "Signature"
    headers[name] = (snap and "" or "HMACSHA256=") .. crypto.hmac("sha512", "somebody else", body, "base64")
    return headers, body
  end
  return sim.callback(ctx, cb)
end

-- What is to be told stands in the books with the change itself; the job that looks was on disk before.
local function change_and_tell(ctx, id, alter)
  sim.later(ctx, ctx.now() + LOOK_MS, "tell", { ref = id })
  local order, done = change(ctx, id, alter)
  return order, done, done and tell(ctx, { ref = id }) or json.array {}
end

---- paying ----

local function paid(ctx, id, amount, late)
  local at = ctx.now()
  local order, done, sent = change_and_tell(ctx, id, function(order)
    if order.status ~= "PENDING" or not (late or at < order.expires_at) then return false end
    order.status, order.paid, order.paid_at, order.failed, order.owes = "SUCCESS", amount, at, nil, "SUCCESS"
    order.payment_request = order.kind == "va" and "pay-" .. order.reference_no or nil
    return true
  end)
  if not done then return nil, 409, "it is " .. seen(ctx, order) .. " and takes no money" end
  return { order_id = order.ref, amount = amount, callbacks = sent }
end

local function pay(ctx, ref, amount)
  local order = find(ctx, ref) or books.known_as(ctx, ref)
  for _, id in ipairs(order and {} or simulator.recent(ctx)) do -- "inv-1" is also what was made as "inv-1-x7k2"
    local made = not order and find(ctx, id)
    if made and simulator.fits({ order_id = ref }, { order_id = made.ref }) then order = made end
  end
  if not order then return nil, 404 end
  local facts = { order_id = order.ref }
  local late = order.channel ~= "EMONEY_OVO" and simulator.late(ctx, facts) -- a push is over with its call
  amount = simulator.amount(ctx, facts, order.amount, amount)
  if late and order.status == "PENDING" and ctx.now() < order.expires_at then
    local at = order.expires_at + simulator.LATE_BY
    sim.later(ctx, at, "pay", { ref = order.id, amount = amount })
    return { order_id = order.ref, amount = amount, pays_at = wib(at) }
  end
  return paid(ctx, order.id, amount, late)
end

local function rows(ctx)
  local list = {}
  for _, id in ipairs(simulator.recent(ctx)) do
    local o = find(ctx, id)
    if o then
      local status = seen(ctx, o)
      list[#list + 1] = { ref = id, payable = status == "PENDING", cells = { o.ref, o.channel, o.number or "", o.paid or o.amount, status, wib(o.made_at), wib(o.expires_at) } }
    end
  end
  return list
end

sim = simulator.new {
  provider = "doku", title = "DOKU simulator",
  words = { "late", "duplicate", "reorder", "short", "over", "refused", "timeout_before_debit", "timeout_after_debit", "server_error", "rubbish",
    "slow", "wrong_signature", "maintenance" },
  columns = { "order", "channel", "number", "amount", "status", "made", "expires" },
  rows = rows, pay = pay, sign = sign, prove = sign,
  retry = function(_, tried) return RETRIES[tried + 1] end,
  needs = { pay = { "ref", "amount" }, tell = { "ref" } },
  later = {
    pay = function(ctx, arg)
      if simulator.read(ctx, "order " .. arg.ref) then paid(ctx, arg.ref, arg.amount, true) end
    end,
    tell = tell,
  },
}

return { sim = sim, paid = paid, change_and_tell = change_and_tell }
