-- The Xendit channels: against their simulator, against answers that the reference names, and the hearing
-- of callbacks with a core that is written down here.
local xendit = require "xendit"

local KEY, TOKEN = "xnd_development_demo", "xnd-callback-demo"
local INPUT = { ovo = { phone = "0812-3456-7890" }, jeniuspay = { cashtag = "$budi" } }
local REQUESTS = { bca_va = "va_number", bni_va = "va_number", bri_va = "va_number", mandiri_va = "va_number", permata_va = "va_number",
  cimb_va = "va_number", alfamart = "payment_code", indomaret = "payment_code", dana = "redirect_url", linkaja = "redirect_url",
  shopeepay = "redirect_url", ovo = "push", jeniuspay = "push", qris = "qr_string" }
local INVOICES = { card = "redirect_url", kredivo = "redirect_url", akulaku = "redirect_url" }

local function path(name) return "channels/xendit_" .. name .. ".lua" end
local function op(reference, more)
  local o = { id = "op_" .. reference, kind = "create", reference = reference, status = "sending", input = { amount = 150000 } }
  for name, value in pairs(more or {}) do o[name] = value end
  return o
end
local function about(kind, reference, input)
  input.reference = input.reference or reference
  return { id = "op_x", kind = kind, reference = "re-" .. reference, status = "sending", input = input }
end
local function control(t, what)
  local answer = http.post { url = "https://api.xendit.co/_control", json = what }
  t.equal(answer.status, 200, answer.body)
  return answer:json()
end

local function with(base, more)
  for name, value in pairs(more or {}) do base[name] = value ~= "none" and value or nil end
  return base
end
-- A payment request, one of its payments, an invoice, as Xendit shows them.
local function shown(more)
  return with({ id = "pr-1", reference_id = "r1", amount = 150000, currency = "IDR", status = "PENDING", failure_code = json.null,
    payment_method = { id = "pm-1", type = "VIRTUAL_ACCOUNT", status = "ACTIVE", virtual_account = { channel_code = "BCA",
      channel_properties = { virtual_account_number = "1076600000001", expires_at = "2026-02-01T02:00:00Z" } } } }, more)
end
local function payment(more)
  return with({ id = "py-1", payment_request_id = "pr-1", amount = 150000, status = "SUCCEEDED", updated = "2026-01-31T03:00:00.123456789Z" }, more)
end
local function bill(more) return with({ id = "inv-1", external_id = "r1", amount = 150000, status = "PENDING", invoice_url = "https://x/i" }, more) end

-- What a callback finds: the attempt, what Xendit says when asked, and what became of it.
local function heard(note, world)
  world = world or {}
  local all, unverified, asked, later = {}, false, 0, nil
  local ctx = {
    config = { token = TOKEN, api_key = KEY },
    now = function() return 0 end,
    url = function(p) return "http://here" .. p end,
    verify = function(fact) if fact ~= true then unverified = true; error "unverified" end end,
    find = function() return world.attempt end,
    ask = function(what) later = what.reference return true end,
    settle = function(what) all[#all + 1] = what; return world.verdict or "applied" end,
    http = { get = function(what)
      asked = asked + 1
      local body = what.url:find "/payments%?" and world.payments or not what.url:find "/payments%?" and world.truth
      if not body then return nil, "no answer" end
      return { status = 200, json = function() return body end }
    end },
  }
  local headers = { ["x-callback-token"] = world.token or TOKEN }
  if world.token == false then headers = {} end
  local good, answer = pcall(xendit.notify, ctx, { headers = headers, body = type(note) == "string" and note or json.encode(note) })
  local words = {}
  for i, s in ipairs(all) do words[i] = s.status .. (s.amount and " " .. s.amount or "") .. (s.money_id and " " .. s.money_id or "") end
  return { all = table.concat(words, ", "), settled = all, unverified = unverified, asked = asked, later = later, status = good and answer.status or nil, error = not good and answer or nil }
end
local function note(event, more)
  return { event = event, business_id = "b", created = "2026-01-31T03:00:01Z",
    data = with({ id = "py-1", payment_request_id = "pr-1", reference_id = "r1", amount = 150000, status = "SUCCEEDED" }, more) }
end
local OPEN = { status = "pending", payment = "pay_1" }

local tests = {
  ["the request is what Xendit documents"] = function(t)
    t.http.answer { status = 201, json = shown() }
    t.call(path "bca_va", "create", op("r1", { payment = "pay_1", expires_at = t.clock.now() + 3600000, input = { amount = 150000, order_id = "o-1", expires_in = 7200,
      customer = { name = "Ani S. D3wi", email = "ani@example.com" } } }))
    local sent = t.http.requests()[1]
    t.equal(sent.method .. " " .. sent.url, "POST https://api.xendit.co/payment_requests")
    t.equal(sent.headers.authorization, "Basic eG5kX2RldmVsb3BtZW50X2RlbW86")
    t.equal(sent.headers["idempotency-key"], "op_r1")
    t.equal(json.decode(sent.body), { reference_id = "r1", amount = 150000, currency = "IDR", country = "ID", metadata = { payment = "pay_1", order_id = "o-1" },
      payment_method = { type = "VIRTUAL_ACCOUNT", reusability = "ONE_TIME_USE", reference_id = "r1", virtual_account = { channel_code = "BCA", amount = 150000,
        currency = "IDR", channel_properties = { customer_name = "Ani S D wi", expires_at = time.format(t.clock.now() + 3600000, "%Y-%m-%dT%H:%M:%S.%LZ", "UTC") } } } })
    t.http.answer { status = 201, json = bill() }
    t.call(path "card", "create", op("r1", { input = { amount = 150000, expires_in = 600, return_urls = { success = "https://s/ok", failure = "https://s/no" } } }))
    sent = t.http.requests()[2]
    t.equal(sent.url, "https://api.xendit.co/v2/invoices")
    local body = json.decode(sent.body)
    t.equal(body.payment_methods, { "CREDIT_CARD" })
    t.equal({ body.external_id, body.amount, body.invoice_duration, body.success_redirect_url, body.failure_redirect_url },
      { "r1", 150000, 600, "https://s/ok", "https://s/no" })
    for i, name in ipairs { "kredivo", "akulaku" } do -- the page offers nothing else
      t.http.answer { status = 201, json = bill() }
      t.call(path(name), "create", op "r1")
      t.equal(json.decode(t.http.requests()[2 + i].body).payment_methods, { name:upper() })
    end
  end,

  ["a phone number, however it is written"] = function(t)
    for _, text in ipairs { "081234567890", "+6281234567890", "6281234567890", "0812-3456-7890", "0812 3456 7890" } do
      t.equal(xendit.phone(text), "+6281234567890", text)
    end
  end,

  ["what Xendit says to a create, as a decision"] = function(t)
    local cases = {
      { 400, { error_code = "API_VALIDATION_ERROR", message = "x" }, "failed", "INVALID_REQUEST" },
      { 401, { error_code = "INVALID_API_KEY" }, "failed", "UNAUTHORIZED_AT_PROVIDER" },
      { 403, { error_code = "CHANNEL_NOT_ACTIVATED" }, "failed", "INVALID_REQUEST" },
      { 400, { error_code = "MAX_AMOUNT_LIMIT_ERROR" }, "failed", "LIMIT_EXCEEDED" },
      { 429, { error_code = "RATE_LIMIT_EXCEEDED" }, "not_created" },
      { 429, "slower", "not_created" },
      { 400, { error_code = "BRAND_NEW" }, "unknown" },
      { 400, "<html>", "unknown" },
      { 404, {}, "unknown" },
      { 500, { error_code = "SERVER_ERROR" }, "unknown" },
      { 500, { error_code = "API_VALIDATION_ERROR" }, "unknown" },
      { 502, "<html>", "unknown" },
      { 503, "busy", "unknown" },
      { 200, "<html>", "unknown" },
      { 201, {}, "unknown" },
      { 201, shown { reference_id = "another" }, "unknown" },
      { 201, shown { status = "BRAND_NEW" }, "unknown" },
      { 201, shown { status = "FAILED", failure_code = "INSUFFICIENT_BALANCE" }, "failed", "INSUFFICIENT_BALANCE" },
      { 201, shown { status = "FAILED", failure_code = "USER_DECLINED_PAYMENT" }, "failed", "USER_CANCELLED" },
      { 201, shown { status = "FAILED", failure_code = "BRAND_NEW" }, "failed", "PROVIDER_ERROR" },
      { 201, shown { status = "AWAITING_CAPTURE" }, "processing" },
      { 201, shown { status = "EXPIRED" }, "expired" },
      { 201, shown { status = "CANCELED" }, "cancelled" },
      { 201, shown(), "pending" },
    }
    for i, case in ipairs(cases) do
      t.http.answer { method = "POST", status = case[1], [type(case[2]) == "table" and "json" or "body"] = case[2] }
      local d = t.call(path "bca_va", "create", op "r1")
      t.equal(t.kind(d), case[3], "case " .. i)
      t.equal(d.category, case[4], "case " .. i)
    end
    for fail, kind in pairs { timeout = "unknown", reset = "unknown", refused = "not_created" } do
      t.http.answer { method = "POST", fail = fail }
      t.equal(t.kind(t.call(path "bca_va", "create", op "r1")), kind, fail)
    end
  end,

  ["a channel that is away is believed where nothing was made"] = function(t)
    local busy = { error_code = "CHANNEL_UNAVAILABLE" }
    local function created(list, status)
      t.http.answer { method = "POST", status = 503, json = busy }
      t.http.answer { method = "GET", status = status or 200, json = list }
      local d = t.call(path "bca_va", "create", op "r1")
      return t.kind(d) .. " " .. tostring(d.category)
    end
    t.equal(created { data = json.array {} }, "failed BANK_UNAVAILABLE")
    t.equal(created { data = { shown() } }, "pending nil")
    t.equal(created({ error_code = "SERVER_ERROR" }, 500), "unknown nil")
    t.equal(created { nothing = 1 }, "unknown nil")
  end,

  ["a key that was used is asked about"] = function(t)
    t.http.answer { method = "POST", status = 409, json = { error_code = "IDEMPOTENCY_ERROR" } }
    t.http.answer { method = "GET", json = { data = { shown() } } }
    t.equal(t.kind(t.call(path "bca_va", "create", op "r1")), "pending")
    t.http.answer { method = "POST", status = 409, json = { error_code = "DUPLICATE_ERROR" } }
    t.http.answer { method = "GET", json = { data = json.array {} } }
    t.equal(t.kind(t.call(path "bca_va", "create", op "r1")), "unknown", "somewhere it is")
  end,

  ["a number that the bank does not know yet is not shown"] = function(t)
    local early = shown()
    early.payment_method.status = "PENDING"
    t.http.answer { status = 201, json = early }
    local d = t.call(path "bca_va", "create", op "r1")
    t.equal(t.kind(d), "processing")
    t.equal(d.va_number, nil)
    t.http.answer { json = shown() }
    d = t.call(path "bca_va", "inquire", op("r1", { status = "processing", data = { id = "pr-1" } }))
    t.equal(t.kind(d), "pending")
    t.equal(d.va_number, "1076600000001")
  end,

  ["what bears our reference is ours only with our payment in it"] = function(t)
    local function found(list, more)
      t.http.answer { method = "GET", json = { data = list } }
      if more then t.http.answer { method = "GET", json = more } end
      local d = t.call(path "bca_va", "inquire", op("r1", { payment = "pay_1", status = "unknown" }))
      return t.kind(d) .. " " .. tostring(d.reference)
    end
    t.equal(found(json.array {}), "not_created nil")
    t.equal(found { shown { metadata = { payment = "pay_2" } } }, "not_created nil")
    t.equal(found { shown { amount = 1000 } }, "not_created nil", "of another amount, and nothing says whose")
    t.equal(found { shown { reference_id = "r2" } }, "not_created nil")
    t.equal(found { shown { metadata = { payment = "pay_2" } }, shown { id = "pr-2", metadata = { payment = "pay_1" } } }, "pending pr-2")
    t.equal(found({ shown { id = "pr-1", status = "SUCCEEDED", metadata = { payment = "pay_1" } } }, { data = { payment() } }), "success pr-1")
    t.http.answer { method = "GET", json = { data = json.array {} } }
    t.equal(t.kind(t.call(path "bca_va", "inquire", op("r1", { status = "pending" }))), "unknown", "it was there before")
  end,

  ["paid is what its payments say"] = function(t)
    local function asked(payments)
      t.http.answer { method = "GET", json = shown { status = "SUCCEEDED" } }
      t.http.answer { method = "GET", json = payments }
      local d = t.call(path "bca_va", "inquire", op("r1", { status = "pending", data = { id = "pr-1" } }))
      return table.concat({ t.kind(d), tostring(d.amount), tostring(d.money_id) }, " "), d
    end
    local said, d = asked { data = { payment() } }
    t.equal(said, "success 150000 py-1")
    t.equal(d.paid_at, time.parse("2026-01-31T03:00:00.123Z"))
    t.equal((asked { data = { payment { amount = json.number "150000.00" } } }), "success 150000 py-1")
    t.equal((asked { data = { payment { amount = 149000 } } }), "success 149000 py-1")
    t.equal((asked { data = { payment(), payment { id = "py-2", amount = 1000 } } }), "success 151000 nil", "of two nobody knows which id")
    t.equal((asked { data = { payment { status = "FAILED" }, payment { id = "py-2" } } }), "success 150000 py-2")
    t.equal((asked { data = { payment { payment_request_id = "pr-9" } } }), "unknown nil nil", "another's")
    t.equal((asked { data = { payment { amount = json.number "150000.50" } } }), "unknown nil nil", "nobody rounds money")
    t.equal((asked { data = { payment { id = "none" } } }), "unknown nil nil")
    t.equal((asked { data = json.array {} }), "unknown nil nil")
    t.equal((asked { no = "list" }), "unknown nil nil")
  end,

  ["a cancel: what is so afterwards decides"] = function(t)
    local channel = t.load(path "bca_va")
    local function kinds(attempt, posted, found)
      local function answer(a) return a and { status = a[1], json = function() return a[2] end } or nil, not a and "no answer" or nil, nil, true end
      local ctx = { config = { api_key = KEY }, find = function() return attempt end,
        http = { effect = function() return answer(posted) end, get = function() return answer(found) end } }
      local d = channel.cancel(ctx, about("cancel", "r1", {}))
      return t.kind(d) .. " " .. tostring(d.category)
    end
    local known = { status = "pending", data = { id = "pr-1", method = "pm-1" } }
    local gone, paid, no = shown { status = "EXPIRED" }, shown { status = "SUCCEEDED" }, { 400, { error_code = "INELIGIBLE_TRANSACTION_STATUS" } }
    local closed = shown()
    closed.payment_method.status = "EXPIRED"
    t.equal(kinds(known, { 200, {} }, { 200, gone }), "success nil")
    t.equal(kinds(known, { 200, {} }, { 200, closed }), "success nil")
    t.equal(kinds(known, { 200, {} }, { 200, paid }), "failed INVALID_REQUEST", "the payer was quicker")
    t.equal(kinds(known, no, { 200, gone }), "success nil")
    t.equal(kinds(known, no, { 200, shown() }), "failed INVALID_REQUEST", "Xendit will not")
    t.equal(kinds(known, nil, { 200, shown() }), "not_created nil")
    t.equal(kinds(known, nil, nil), "unknown nil")
    t.equal(kinds({ status = "unknown" }, { 200, {} }, { 200, { data = json.array {} } }), "success nil", "nobody was shown it")
    t.equal(kinds({ status = "pending" }, { 200, {} }, { 200, { data = json.array {} } }), "not_created nil")
    t.equal(kinds({ status = "unknown" }, { 200, {} }, nil), "not_created nil", "it could not be found out what to cancel")
  end,

  ["a refund that is not known for sure"] = function(t)
    local channel = t.load(path "dana")
    local known = { status = "success", amount_due = 150000, data = { id = "pr-1", method = "pm-1" } }
    local function kinds(posted, found, data)
      local ctx = { config = { api_key = KEY }, find = function() return known end,
        http = { effect = function() return { status = posted[1], json = function() return posted[2] end } end,
          get = function() return { status = found[1], json = function() return found[2] end } end } }
      local o = about("refund", "r1", { amount = 1000 })
      o.data = data
      return t.kind(channel.refund(ctx, o)) .. " " .. t.kind(channel.inquire(ctx, o))
    end
    local function r(status, more) return with({ id = "rfd-1", reference_id = "re-r1", status = status, amount = 1000 }, more) end
    local none = { 200, { data = json.array {} } }
    t.equal(kinds({ 200, r "PENDING" }, { 200, { data = { r "SUCCEEDED" } } }), "processing success")
    t.equal(kinds({ 200, r "SUCCEEDED" }, { 200, r "FAILED" }, { id = "rfd-1" }), "success failed")
    t.equal(kinds({ 200, r "BRAND_NEW" }, none), "unknown not_created")
    t.equal(kinds({ 200, r("PENDING", { reference_id = "another" }) }, { 200, { data = { r("SUCCEEDED", { reference_id = "another" }) } } }), "unknown not_created")
    t.equal(kinds({ 500, { error_code = "SERVER_ERROR" } }, { 200, { data = json.array {}, has_more = true } }), "unknown unknown")
    t.equal(kinds({ 400, { error_code = "INSUFFICIENT_BALANCE" } }, { 404, { error_code = "DATA_NOT_FOUND" } }, { id = "rfd-1" }), "failed unknown")
    t.equal(kinds({ 409, { error_code = "IDEMPOTENCY_ERROR" } }, { 200, { data = { r "PENDING" } } }), "processing processing")
    t.equal(kinds({ 409, { error_code = "IDEMPOTENCY_ERROR" } }, none), "unknown not_created", "heard before and not listed: on its way")
    t.equal(kinds({ 503, { error_code = "CHANNEL_UNAVAILABLE" } }, { 500, {} }), "unknown unknown")
  end,

  ["a refund is sent once, with a key, and only where its sum may go back"] = function(t)
    local sent
    local function asked(name, amount)
      sent = nil
      local ctx = { config = { api_key = KEY }, find = function() return { status = "success", amount_due = 150000, data = { id = "pr-1", method = "pm-1" } } end,
        http = { effect = function(what) sent = what; return nil, "no answer", "E_TIMEOUT", true end } }
      return t.kind(t.load(path(name)).refund(ctx, about("refund", "r1", { amount = amount, reason = "broken" })))
    end
    t.equal(asked("dana", 1000), "unknown")
    t.equal(sent.headers["idempotency-key"], "op_x")
    t.equal(sent.json, { payment_request_id = "pr-1", reference_id = "re-r1", currency = "IDR", amount = 1000, reason = "OTHERS", metadata = { reason = "broken" } })
    t.equal(asked("linkaja", 1000), "failed")
    t.equal(sent, nil)
    t.equal(asked("linkaja", 150000), "unknown")
    t.equal(asked("card", 1000), "unknown")
    t.equal(sent.json.invoice_id, "pr-1")
    for _, name in ipairs { "ovo", "jeniuspay", "akulaku", "bca_va", "alfamart" } do t.equal(t.load(path(name)).refund, nil, name) end
  end,

  ["a callback without the right token changes nothing"] = function(t)
    for _, token in ipairs { false, "", "xnd-callback-dem", "xnd-callback-demo ", "XND-CALLBACK-DEMO" } do
      local h = heard(note "payment.succeeded", { token = token, truth = shown { status = "SUCCEEDED" }, payments = { data = { payment() } }, attempt = OPEN })
      t.equal(h.unverified, true)
      t.equal(h.asked, 0)
      t.equal(h.all, "")
    end
  end,

  ["a callback is a hint: what Xendit says when asked is booked"] = function(t)
    local paid = { truth = shown { status = "SUCCEEDED" }, payments = { data = { payment() } }, attempt = OPEN }
    local h = heard(note "payment.succeeded", paid)
    t.equal(h.all, "success 150000 py-1")
    t.equal(h.status, 200)
    t.equal(heard(note("payment.succeeded", { amount = 999999999, id = "forged" }), paid).all, "success 150000 py-1")
    t.equal(heard(note("payment.failed", { status = "FAILED" }), paid).all, "success 150000 py-1", "an older one, late")
    -- the list says nothing that reads: what was told, of what Xendit says is paid
    h = heard(note "payment.succeeded", { truth = shown { status = "SUCCEEDED" }, payments = { odd = 1 }, attempt = OPEN })
    t.equal(h.all, "success 150000 py-1")
    h = heard(note("payment.succeeded", { amount = json.number "1.5" }), { truth = shown { status = "SUCCEEDED" }, payments = { odd = 1 }, attempt = OPEN })
    t.equal(h.all .. h.status, "503")
    t.equal(h.later, "r1")
    -- told of an end that Xendit does not know of
    h = heard(note "payment.succeeded", { truth = shown(), attempt = OPEN })
    t.equal(h.all .. h.status, "503")
    -- it cannot be asked, or speaks of another
    h = heard(note "payment.succeeded", { attempt = OPEN })
    t.equal(h.status, 503)
    t.equal(h.later, "r1", "we ask ourselves: it may never be said again")
    t.equal(heard(note "payment.succeeded", { truth = shown { id = "pr-9" }, attempt = OPEN }).status, 503)
    t.equal(heard(note "payment.succeeded", { truth = shown { reference_id = "r9" }, attempt = OPEN }).status, 503)
    t.equal(heard(note "payment.succeeded", { truth = shown { status = "SUCCEEDED", metadata = { payment = "pay_9" } }, payments = { data = { payment() } }, attempt = OPEN }).all, "")
    -- of two payments both
    h = heard(note "payment.succeeded", { truth = shown { status = "SUCCEEDED" }, payments = { data = { payment(), payment { id = "py-2", amount = 5 } } }, attempt = OPEN })
    t.equal(h.all, "success 150000 py-1, success 5 py-2")
    -- nobody knows it: kept as an orphan, and heard again
    h = heard(note "payment.succeeded", { truth = shown { status = "SUCCEEDED" }, payments = { data = { payment() } }, verdict = "not_found" })
    t.equal(h.all .. " " .. h.status, "success 150000 py-1 503")
  end,

  ["an end without money, and money taken back"] = function(t)
    local h = heard(note("payment.failed", { status = "FAILED" }), { truth = shown { status = "FAILED", failure_code = "USER_DECLINED_PAYMENT" }, attempt = OPEN })
    t.equal(h.all, "failed")
    t.equal(h.settled[1].category, "USER_CANCELLED")
    t.equal(heard(note "payment.expired", { truth = shown { status = "EXPIRED" }, attempt = OPEN }).all, "expired")
    t.equal(heard(note "payment.canceled", { truth = shown { status = "CANCELED" }, attempt = OPEN }).all, "cancelled")
    local was = { status = "success", payment = "pay_1" }
    h = heard(note "payment.voided", { truth = shown { status = "VOIDED" }, payments = { data = { payment { status = "VOIDED" } } }, attempt = was })
    t.equal(h.all, "cancelled, reversed 150000 py-1")
    h = heard(note "payment.voided", { truth = shown { status = "VOIDED" }, attempt = was })
    t.equal(h.status, 503, "how much is not known: later")
    h = heard(note "payment.voided", { truth = shown { status = "VOIDED" }, payments = { data = { payment() } }, attempt = was })
    t.equal(h.all .. " " .. h.status, "cancelled 503", "it contradicts itself: nothing is taken back")
    h = heard(note "payment.voided", { truth = shown { status = "VOIDED" }, payments = { data = json.array {} }, attempt = was })
    t.equal(h.all, "cancelled, reversed 150000")
    t.equal(heard(note "payment.expired", { truth = shown { status = "EXPIRED" }, payments = { data = json.array {} }, attempt = was }).all, "expired",
      "nothing is taken back by an expiry")
  end,

  ["invoices are heard flat"] = function(t)
    local told = { id = "inv-1", external_id = "r1", status = "PAID", merchant_name = "m", amount = 150000, paid_amount = 150000 }
    local h = heard(told, { truth = bill { status = "PAID", paid_at = "2026-01-31T03:00:00Z" }, attempt = OPEN })
    t.equal(h.all, "success 150000 inv-1")
    t.equal(h.settled[1].paid_at, time.parse "2026-01-31T03:00:00Z")
    t.equal(heard(told, { truth = bill { status = "SETTLED", paid_amount = 149000 }, attempt = OPEN }).all, "success 149000 inv-1")
    t.equal(heard(told, { truth = bill(), attempt = OPEN }).status, 503)
    told.status = "EXPIRED"
    t.equal(heard(told, { truth = bill { status = "EXPIRED" }, attempt = OPEN }).all, "expired")
  end,

  ["what is no news, and what is not ours"] = function(t)
    for _, event in ipairs { "payment_method.activated", "payment_method.expired", "refund.succeeded", "payment.pending", "credit_card.tokenization" } do
      local h = heard(note(event), { attempt = OPEN })
      t.equal({ h.status, h.all, h.asked }, { 200, "", 0 }, event)
    end
    for _, body in ipairs { "[]", "{}", '{"event":5}', '{"event":"ewallet.capture","data":{"id":"ewc_1"}}', '{"data":null}', '{"payment_id":"p","external_id":"r1","amount":5}',
      '{"event":"payment.succeeded","data":"x"}', '{"id":"i","external_id":"r1","status":"BRAND_NEW"}' } do
      local h = heard(body, { attempt = OPEN })
      t.equal(h.status, 503, body)
      t.equal(h.all, "", body)
    end
    for _, body in ipairs { "", "<html>", "5", "null" } do
      local h = heard(body, { attempt = OPEN })
      t.equal(h.status, 400, body)
    end
  end,

  ["what is not in Xendit's own words says nothing"] = function(t)
    local channel = path "dana"
    for _, body in ipairs { "<html>", "", "{}", '{"message":"no"}', "[]" } do
      for _, status in ipairs { 400, 401, 403, 404, 409, 500, 502, 503 } do
        local what = "HTTP " .. status .. " " .. body
        t.http.answer { method = "POST", status = status, body = body }
        t.equal(t.kind(t.call(channel, "create", op "p1")), "unknown", what)
        t.http.answer { method = "GET", status = status, body = body }
        t.equal(t.kind(t.call(channel, "inquire", op("p1", { status = "unknown" }))), "unknown", what)
      end
    end
  end,

}

-- One test each: a test loads sixteen files at most.
local function found_paid(name, field)
  return function(t)
    local channel = t.load(path(name))
    t.equal({ channel.provider, channel.amounts, channel.lookup }, { "xendit", "closed", "ours" })
    t.equal(channel.effect, INPUT[name] and "charge" or "offer")
    local o = op("inv-" .. name:gsub("_", "-"), { expires_at = t.clock.now() + 600000, input = with({ amount = 150000 }, INPUT[name]) })
    local made = t.call(path(name), "create", o)
    t.equal(t.kind(made), "pending", made.message)
    t.truthy(made[field])
    t.truthy(made.reference)
    local again = t.call(path(name), "create", o)
    t.equal(again.reference, REQUESTS[name] and made.reference or again.reference, "the same attempt never makes two")
    local lost = t.call(path(name), "inquire", with(op(o.reference, { status = "unknown" }), { input = o.input }))
    t.equal(t.kind(lost), "pending", "found by our reference")
    o.status, o.data = "pending", made.data
    t.equal(t.kind(t.call(path(name), "inquire", o)), "pending")
    t.equal(control(t, { pay = made.reference }).amount, 150000)
    local paid = t.call(path(name), "inquire", o)
    t.equal({ t.kind(paid), paid.amount }, { "success", 150000 })
    t.truthy(paid.money_id)
    t.truthy(paid.paid_at >= time.now() - 1000)
  end
end
for name, field in pairs(REQUESTS) do tests[name .. " shows how it is paid, and is found paid"] = found_paid(name, field) end
for name, field in pairs(INVOICES) do tests[name .. " shows how it is paid, and is found paid"] = found_paid(name, field) end

return { tests = tests }
