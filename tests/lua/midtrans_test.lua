-- The Midtrans channels: against their simulator, against answers that the reference names, and the
-- hearing of notifications with a core that is written down here.
local midtrans = require "midtrans"

local KEY = "SB-Mid-server-demo"
local ALL = { "bca_va", "bni_va", "bri_va", "permata_va", "mandiri_bill", "qris", "gopay" }
local function path(name) return "channels/midtrans_" .. name .. ".lua" end
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
  local answer = http.post { url = "https://api.sandbox.midtrans.com/_control", json = what }
  t.equal(answer.status, 200, answer.body)
  return answer:json()
end

-- A transaction as Midtrans shows it.
local function shown(more)
  local tx = { status_code = "200", status_message = "Success, transaction is found", transaction_id = "tx-1", order_id = "r1",
    gross_amount = "150000.00", payment_type = "bank_transfer", transaction_status = "settlement", fraud_status = "accept",
    transaction_time = "2026-01-31 09:00:00", settlement_time = "2026-01-31 10:00:00", expiry_time = "2026-02-01 09:00:00",
    va_numbers = { { bank = "bca", va_number = "812785" } } }
  for name, value in pairs(more or {}) do tx[name] = value ~= "none" and value or nil end
  return tx
end

-- What a notification finds: the attempt, what Midtrans says when asked, and what became of it.
local function heard(note, world)
  world = world or {}
  local settled, unverified, asked, later
  local all = {}
  local ctx = {
    config = { server_key = KEY },
    host = function() return "api.sandbox.midtrans.com" end,
    now = function() return 0 end,
    verify = function(fact) if fact ~= true then unverified = true; error "unverified" end end,
    find = function() return world.attempt and { status = world.attempt, payment = "pay_1" } end,
    ask = function(what) later = what.reference return true end,
    settle = function(what) settled = what; all[#all + 1] = what.status; return world.verdict or "applied" end,
    http = { get = function()
      asked = true
      if not world.status then return nil, "no answer" end
      return { status = 200, json = function() return world.status end }
    end },
  }
  local req = { headers = world.headers or {}, body = type(note) == "string" and note or json.encode(note) }
  local good, answer = pcall(midtrans.notify, ctx, req)
  return { settled = settled, all = table.concat(all, " "), asked = asked or false, later = later, unverified = unverified or false, answer = good and answer or nil, error = not good and answer or nil }
end
local function signed(note, key)
  note.signature_key = crypto.sha512({ note.order_id, note.status_code, note.gross_amount, key or KEY }, "hex")
  return note
end

return { tests = {
  ["each declares what the contract wants"] = function(t)
    for _, name in ipairs(ALL) do
      local channel = t.load(path(name))
      t.equal(channel.provider, "midtrans", name)
      t.equal(channel.effect, "offer", name)
      t.equal(channel.amounts, "closed", name)
      t.equal(channel.refund ~= nil, name == "qris" or name == "gopay", name)
    end
  end,

  ["each shows how it is paid, and is found paid"] = function(t)
    local fields = { bca_va = "va_number", bni_va = "va_number", bri_va = "va_number", permata_va = "va_number", mandiri_bill = "bill_key",
      qris = "qr_string", gopay = "redirect_url" }
    for _, name in ipairs(ALL) do
      local o = op("inv-" .. name:gsub("_", "-"))
      local made = t.call(path(name), "create", o)
      t.equal(t.kind(made), "pending", name)
      t.truthy(made[fields[name]], name)
      t.truthy(made.expires_at > time.now(), name)
      t.truthy(made.reference, name)
      local still = t.call(path(name), "inquire", op(o.reference, { status = "pending" }))
      t.equal(t.kind(still), "pending", name)
      control(t, { next = "reset" })
      t.equal(control(t, { pay = o.reference }).amount, 150000)
      local paid = t.call(path(name), "inquire", op(o.reference, { status = "pending" }))
      t.equal(t.kind(paid), "success", name)
      t.equal(paid.amount, 150000)
      t.equal(paid.money_id, made.reference)
      t.truthy(paid.paid_at >= time.now() - 1000, name)
    end
  end,

  ["the request is what Midtrans documents"] = function(t)
    t.http.answer { json = shown { transaction_status = "pending", status_code = "201" } }
    t.call(path "bca_va", "create", op("r1", { payment = "pay_1", expires_at = t.clock.now() + 3600000,
      input = { amount = 150000, order_id = "o-1", expires_in = 7200,
      customer = { name = "Ani", email = "ani@example.com", phone = "0812" } } }))
    local sent = t.http.requests()[1]
    t.equal(sent.method .. " " .. sent.url, "POST https://api.sandbox.midtrans.com/v2/charge")
    t.equal(sent.headers.authorization, "Basic U0ItTWlkLXNlcnZlci1kZW1vOg==")
    t.equal(sent.headers.accept, "application/json")
    t.equal(json.decode(sent.body), { payment_type = "bank_transfer", bank_transfer = { bank = "bca" },
      transaction_details = { order_id = "r1", gross_amount = 150000 }, custom_expiry = { expiry_duration = 3600, unit = "second" },
      customer_details = { first_name = "Ani", email = "ani@example.com", phone = "0812" }, custom_field1 = "pay_1", custom_field2 = "o-1" })
  end,

  ["how long: as the shop said, and never beyond the order's end"] = function(t)
    local function asked(expires_in, left)
      t.http.answer { json = shown { transaction_status = "pending", status_code = "201" } }
      t.call(path "bca_va", "create", op("r1", { expires_at = left and t.clock.now() + left * 1000, input = { amount = 150000, order_id = "o-1", expires_in = expires_in } }))
      local all = t.http.requests()
      return (json.decode(all[#all].body).custom_expiry or {}).expiry_duration
    end
    t.equal(asked(7200, 3600), 3600, "chosen when half of it was over")
    t.equal(asked(7200), 7200)
    t.equal(asked(nil, 86400), nil, "as is usual")
    t.equal(asked(nil, 3 * 86400), nil)
    t.equal(asked(nil, 600), 600, "the order ends sooner")
    t.equal(asked(nil, 5), 20)
  end,

  ["what Midtrans says to a charge, as a decision"] = function(t)
    local cases = {
      { { status_code = "400", status_message = "x", id = "i" }, "failed", "INVALID_REQUEST" },
      { { status_code = "401", status_message = "x" }, "failed", "UNAUTHORIZED_AT_PROVIDER" },
      { { status_code = "402", status_message = "x" }, "failed", "INVALID_REQUEST" },
      { { status_code = "505", status_message = "x" }, "failed", "BANK_UNAVAILABLE" },
      { { status_code = "429", status_message = "x" }, "not_created" },
      { { status_code = "500", status_message = "x" }, "unknown" },
      { { status_code = "503", status_message = "x" }, "unknown" },
      { { status_code = "900", status_message = "x" }, "unknown" },
      { { status_code = "202", status_message = "the same request is in flight" }, "unknown" },
      { shown { status_code = "202", transaction_status = "deny", fraud_status = "deny" }, "failed", "FRAUD_DETECTED" },
      { shown { status_code = "202", transaction_status = "deny" }, "failed", "PROVIDER_ERROR" },
      { shown { status_code = "202", transaction_status = "deny", payment_type = "credit_card" }, "failed", "CARD_DECLINED" },
      { shown { order_id = "another" }, "unknown" },
      { shown { transaction_status = "brand_new" }, "unknown" },
      { shown { transaction_status = "capture", fraud_status = "challenge" }, "processing" },
      { shown(), "success" },
      { shown { gross_amount = "150000.50" }, "unknown" },
    }
    for i, case in ipairs(cases) do
      t.http.answer { method = "POST", json = case[1] }
      local d = t.call(path "bca_va", "create", op "r1")
      t.equal(t.kind(d), case[2], "case " .. i)
      t.equal(d.category, case[3], "case " .. i)
    end
    for status, kind in pairs { [401] = "unknown", [500] = "unknown", [502] = "unknown", [200] = "unknown" } do
      t.http.answer { method = "POST", status = status, body = "<html>" }
      t.equal(t.kind(t.call(path "bca_va", "create", op "r1")), kind, "HTTP " .. status)
    end
    for fail, kind in pairs { timeout = "unknown", reset = "unknown", refused = "not_created" } do
      t.http.answer { method = "POST", fail = fail }
      t.equal(t.kind(t.call(path "bca_va", "create", op "r1")), kind, fail)
    end
  end,

  ["an order id that was used is asked about"] = function(t)
    local first = t.call(path "bca_va", "create", op "twice")
    local again = t.call(path "bca_va", "create", op "twice")
    t.equal(t.kind(again), "pending")
    t.equal(again.va_number, first.va_number)
    local other = t.call(path "bca_va", "create", op("twice", { input = { amount = 1000 } }))
    t.equal(t.kind(other), "failed")
    t.equal(other.category, "DUPLICATE_TRANSACTION")
  end,

  ["misbehaving: nothing created, or created and found"] = function(t)
    for word, kinds in pairs { timeout_before_debit = { "unknown", "not_created" }, timeout_after_debit = { "unknown", "pending" },
      rubbish = { "unknown", "pending" }, server_error = { "unknown", "not_created" }, refused = { "failed", "not_created" },
      slow = { "pending", "pending" } } do
      local o = op((word:gsub("_", "-")))
      control(t, { next = word })
      t.equal(t.kind(t.call(path "qris", "create", o)), kinds[1], word)
      t.equal(t.kind(t.call(path "qris", "inquire", o)), kinds[2], word)
    end
    control(t, { next = "maintenance" })
    t.equal(t.kind(t.call(path "qris", "create", op "m")), "unknown")
    control(t, { next = "reset" })
  end,

  ["asking: 404 proves something only about what was never seen"] = function(t)
    local gone = { status_code = "404", status_message = "Transaction doesn't exist." }
    t.http.answer { json = gone }
    t.equal(t.kind(t.call(path "bca_va", "inquire", op("r1", { status = "unknown" }))), "not_created")
    t.http.answer { json = gone }
    t.equal(t.kind(t.call(path "bca_va", "inquire", op("r1", { status = "pending" }))), "unknown")
    for _, kind in ipairs { "cancelled", "expired", "failed", "unknown" } do
      local code = { cancelled = { "200", "cancel" }, expired = { "407", "expire" }, failed = { "202", "failure" }, unknown = { "401", "none" } }
      t.http.answer { json = shown { status_code = code[kind][1], transaction_status = code[kind][2] } }
      t.equal(t.kind(t.call(path "bca_va", "inquire", op("r1", { status = "pending" }))), kind)
    end
  end,

  ["cancel, and what is asked after it"] = function(t)
    local channel = path "bni_va"
    t.call(channel, "create", op "c1")
    t.equal(t.kind(t.call(channel, "cancel", about("cancel", "c1", {}))), "success")
    t.equal(t.kind(t.call(channel, "cancel", about("cancel", "c1", {}))), "success", "it is cancelled already")
    t.equal(t.kind(t.call(channel, "inquire", about("cancel", "c1", {}))), "success")
    t.equal(t.kind(t.call(channel, "inquire", op "c1")), "cancelled")
    t.call(channel, "create", op "c2")
    t.equal(t.kind(t.call(channel, "inquire", about("cancel", "c2", {}))), "not_created")
    control(t, { pay = "c2" })
    t.equal(t.kind(t.call(channel, "cancel", about("cancel", "c2", {}))), "failed")
  end,

  ["refund: once per key, whatever the answer was"] = function(t)
    local channel = path "gopay"
    t.call(channel, "create", op "f1")
    local part = about("refund", "f1", { amount = 50000, reason = "broken" })
    t.equal(t.kind(t.call(channel, "refund", part)), "failed", "not paid yet")
    control(t, { pay = "f1" })
    t.equal(t.kind(t.call(channel, "inquire", part)), "not_created")
    control(t, { next = "timeout_after_debit" })
    t.equal(t.kind(t.call(channel, "refund", part)), "unknown")
    t.equal(t.kind(t.call(channel, "inquire", part)), "success")
    t.equal(t.kind(t.call(channel, "refund", part)), "success", "the same key: it is the same refund")
    local paid = t.call(channel, "inquire", op("f1", { status = "success" }))
    t.equal(t.kind(paid), "success", "a refund does not unpay it")
    t.equal(paid.amount, 150000)
    local rest = about("refund", "f1", { amount = 100001 })
    rest.reference = "re-2"
    t.equal(t.kind(t.call(channel, "inquire", rest)), "not_created", "another key")
    local d = t.call(channel, "refund", rest)
    t.equal(t.kind(d) .. " " .. d.category, "failed LIMIT_EXCEEDED")
    control(t, { next = "refused" })
    rest.input.amount = 100000
    t.equal(t.kind(t.call(channel, "refund", rest)), "failed", "the bank said no")
    t.equal(t.kind(t.call(channel, "refund", rest)), "success")
  end,

  ["a settlement is believed as it comes, once it is signed"] = function(t)
    local h = heard(signed(shown()), { attempt = "pending" })
    t.equal(h.answer.status, 200)
    t.equal(h.asked, false)
    t.equal(h.settled, { reference = "r1", status = "success", money_id = "tx-1", amount = 150000,
      paid_at = time.parse "2026-01-31T10:00:00+07:00" })
    t.equal(heard(signed(shown()), { verdict = "duplicate", attempt = "pending" }).answer.status, 200)
    t.equal(heard(signed(shown()), { verdict = "not_found" }).answer.status, 503)
  end,

  ["what is not signed changes nothing"] = function(t)
    local changed = signed(shown())
    changed.gross_amount = "150000.0"
    for _, note in ipairs { shown(), signed(shown(), "another key"), changed, signed(shown { signature_key = "x" }, ""), "[]", "{", "null", "{}",
      json.encode { signature_key = 1 } } do
      local h = heard(note, { attempt = "pending" })
      t.equal(h.unverified, true)
      t.equal(h.settled, nil)
    end
  end,

  ["X-Signature-Key over the raw body decides where it is given"] = function(t)
    local body = json.encode(shown())
    local right = { ["x-signature-key"] = crypto.sha512({ body, KEY }, "hex") }
    t.equal(heard(body, { attempt = "pending", headers = right }).settled.status, "success")
    t.equal(heard(body .. " ", { attempt = "pending", headers = right }).unverified, true)
    t.equal(heard(signed(shown()), { attempt = "pending", headers = { ["x-signature-key"] = "00" } }).unverified, true)
  end,

  ["what is signed and does not read is refused for good, not repeated"] = function(t)
    for _, odd in ipairs { "1e5", "NaN", "-1", "", "0x10", "1,000.00", "99999999999999999999", "0", "9000000000000000000" } do
      local h = heard(signed(shown { gross_amount = odd }), { attempt = "pending" })
      t.equal(h.answer and h.answer.status, 400, odd)
      t.equal(h.settled, nil)
    end
    for _, body in ipairs { "{}", '{"order_id":1}', '{"order_id":""}', '{"order_id":{},"transaction_status":"settlement"}' } do
      local h = heard(body, { headers = { ["x-signature-key"] = crypto.sha512({ body, KEY }, "hex") } })
      t.equal(h.answer and h.answer.status, 400, body)
    end
  end,

  ["the published signatures"] = function(t)
    t.equal(crypto.sha512("ORDER-10120044000.00SB-Mid-server-example", "hex"),
      "385b5236cecc0ed28a469e23be0e74872bb2528e1690c22ba2a43eebf62c1e1f0c40719b2384b0684fb858e47019859aaac2b85f2eba7dc63ea05ebf3dcd86bb")
    t.equal(crypto.sha512("1111200100000.00askvnoibnosifnboseofinbofinfgbiufglnbfg", "hex"),
      "edc076b21793ebe3e17926350f5b8ae67d902fe657b3d0aa31b932d5c127e2375d308a2bc94f3265ac2d80a1f181a79b997ac178a236fcff35af263fc4d4c231")
  end,

  ["bad news is asked about before it is believed"] = function(t)
    local function note(status, code) return signed(shown { transaction_status = status, status_code = code or "202", settlement_time = "none" }) end
    -- the bank took it back
    local h = heard(note "deny", { attempt = "success", status = shown { transaction_status = "deny", status_code = "202" } })
    t.equal(h.asked, true)
    t.equal(h.all .. " " .. h.settled.money_id .. " " .. h.settled.amount, "failed reversed tx-1 150000")
    -- an old deny that comes after the settlement: Midtrans says it is paid
    h = heard(note "deny", { attempt = "success", status = shown() })
    t.equal(h.settled.status, "success")
    -- never paid
    h = heard(note "deny", { attempt = "pending", status = shown { transaction_status = "deny", status_code = "202", settlement_time = "none" } })
    t.equal(h.all, "failed reversed", "the core knows whether there is anything to take back")
    t.equal(heard(note "deny", { verdict = "not_found", status = shown { transaction_status = "deny", status_code = "202" } }).answer.status, 503)
    -- denied, then settled: true; settled, then denied, heard the wrong way round: false
    h = heard(signed(shown()), { attempt = "failed", status = shown() })
    t.equal(h.settled.status, "success")
    h = heard(signed(shown()), { attempt = "failed", status = shown { transaction_status = "deny", status_code = "202" } })
    t.equal(h.all, "failed reversed")
    -- it cannot be asked now: later
    h = heard(note "deny", { attempt = "success" })
    t.equal(h.answer.status, 503)
    t.equal(h.later, "r1", "we ask ourselves: it may never be said again")
    t.equal(h.settled, nil)
    for status, word in pairs { expire = "expired", cancel = "cancelled", failure = "failed" } do
      h = heard(note(status), { attempt = "pending", status = shown { transaction_status = status, status_code = "407", settlement_time = "none" } })
      t.equal(h.all, word)
    end
    h = heard(note "chargeback", { attempt = "success", status = shown { transaction_status = "chargeback" } })
    t.equal(h.all, "reversed")
    h = heard(note("pending", "201"), { attempt = "pending" })
    t.equal(h.answer.status, 200)
    t.equal(h.settled, nil)
  end,

  ["a refund that Midtrans says nothing more about is told to a person"] = function(t)
    local gone = shown { transaction_status = "refund", refund_amount = "150000.00" }
    t.equal(heard(signed(shown()), { attempt = "success", status = gone }).settled.status, "success", "it had been paid")
    local _, lines = t.log():gsub('"midtrans_refunded"', "")
    t.equal(lines, 1)
  end,

  ["GoPay that was paid by scanning is still ours"] = function(t)
    local h = heard(signed(shown { payment_type = "qris", va_numbers = "none" }), { attempt = "pending" })
    t.equal(h.settled.status, "success")
  end,

  ["an amount with a fraction is not rounded"] = function(t)
    local h = heard(signed(shown { gross_amount = "150000.50" }), { attempt = "pending" })
    t.equal(h.settled, nil)
    t.equal(h.answer.status, 400)
  end,

  ["a status that Midtrans never told of changes nothing"] = function(t)
    for _, word in ipairs { "partial_chargeback", "brand_new" } do
      local h = heard(signed(shown { transaction_status = word }), { attempt = "success", status = shown { transaction_status = word } })
      t.equal(h.answer.status, 200)
      t.equal(h.answer.body.status, "left to a person")
      t.equal(h.settled, nil)
    end
  end,

  ["an order id that is another's is never taken for ours"] = function(t)
    local function charged(tx)
      t.http.answer { method = "POST", json = { status_code = "406", status_message = "used" } }
      t.http.answer { method = "GET", json = tx }
      local d = t.call(path "bca_va", "create", op("r1", { payment = "pay_1" }))
      return t.kind(d) .. " " .. tostring(d.category)
    end
    for _, word in ipairs { "settlement", "pending", "deny", "expire", "cancel" } do
      t.equal(charged(shown { transaction_status = word, gross_amount = "1000.00" }), "failed DUPLICATE_TRANSACTION", word)
      t.equal(charged(shown { transaction_status = word, custom_field1 = "pay_2" }), "failed DUPLICATE_TRANSACTION", word)
    end
    t.equal(charged(shown { gross_amount = "150000.50" }), "failed DUPLICATE_TRANSACTION")
    t.equal(charged(shown { custom_field1 = "pay_1" }), "success nil")
    t.equal(charged(shown { custom_field1 = json.null }), "success nil")
    t.equal(charged(shown()), "success nil")
    -- asked later: the payer may have paid another amount, but another's payment stays another's
    local function asked(tx)
      t.http.answer { method = "GET", json = tx }
      return t.kind(t.call(path "bca_va", "inquire", op("r1", { payment = "pay_1", status = "unknown" })))
    end
    t.equal(asked(shown { gross_amount = "1000.00", custom_field1 = "pay_1" }), "success")
    t.equal(asked(shown { custom_field1 = "pay_2" }), "failed")
  end,

  ["what is told of another's transaction is not taken for ours"] = function(t)
    local h = heard(signed(shown { custom_field1 = "pay_1" }), { attempt = "pending" })
    t.equal(h.all, "success")
    h = heard(signed(shown { custom_field1 = "pay_2" }), { attempt = "pending" })
    t.equal({ h.answer.status, h.all }, { 503, "" })
    h = heard(signed(shown { transaction_status = "deny", status_code = "202" }), { attempt = "success", status = shown { transaction_status = "deny", custom_field1 = "pay_2" } })
    t.equal({ h.answer.status, h.all }, { 503, "" }, "as Midtrans says when it is asked")
    local _, lines = t.log():gsub('"midtrans_not_ours"', "")
    t.equal(lines, 2)
  end,

  ["what is not in Midtrans' own words says nothing"] = function(t)
    local channel, bare = path "gopay", { 400, 401, 403, 404, 405, 406, 412, 413, 414, 500, 501, 505 }
    for _, body in ipairs { "<html>", "", "{}", '{"message":"no"}', "[]" } do
      for _, status in ipairs(bare) do
        local what = "HTTP " .. status .. " " .. body
        t.http.answer { method = "POST", status = status, body = body }
        t.equal(t.kind(t.call(channel, "create", op "p1")), "unknown", what)
        t.http.answer { method = "POST", status = status, body = body }
        t.equal(t.kind(t.call(channel, "cancel", about("cancel", "p1", {}))), "unknown", what)
        t.http.answer { method = "POST", status = status, body = body }
        t.equal(t.kind(t.call(channel, "refund", about("refund", "p1", { amount = 1 }))), "unknown", what)
        for _, o in ipairs { op("p1", { status = "unknown" }), about("cancel", "p1", {}), about("refund", "p1", { amount = 1 }) } do
          t.http.answer { method = "GET", status = status, body = body }
          t.equal(t.kind(t.call(channel, "inquire", o)), "unknown", what .. " " .. o.kind)
        end
      end
    end
    t.http.answer { method = "POST", status = 429, body = "slower" }
    t.equal(t.kind(t.call(channel, "create", op "p1")), "not_created", "a limit that refused it is not Midtrans' only")
    t.http.answer { method = "POST", status = 400, json = { status_code = "400", status_message = "x" } }
    t.equal(t.kind(t.call(channel, "create", op "p1")), "failed")
  end,

  ["a cancel of what Midtrans does not know"] = function(t)
    local channel, gone = t.load(path "bca_va"), { status_code = "404", status_message = "Transaction doesn't exist." }
    local function kinds(attempt)
      local function answer() return { status = 200, json = function() return gone end } end
      local ctx = { config = { server_key = KEY }, host = function() return "api.sandbox.midtrans.com" end,
        find = function(by) return by.reference == "r1" and attempt or nil end, http = { get = answer, effect = answer } }
      local o = about("cancel", "r1", {})
      return t.kind(channel.cancel(ctx, o)) .. " " .. t.kind(channel.inquire(ctx, o))
    end
    for status, kind in pairs { sending = "success", unknown = "success", pending = "unknown", processing = "unknown", success = "unknown" } do
      t.equal(kinds { status = status }, kind .. " " .. kind, status)
    end
    t.equal(kinds(nil), "unknown unknown", "who knows what was shown")
    t.equal(kinds { status = "unknown", data = { transaction_id = "tx-1" } }, "unknown unknown", "it was shown once")
  end,

  ["the whole operation: no answer, asked, shown, paid, found"] = function(t)
    control(t, { next = "timeout_after_debit" })
    local made = core.operation.create { channel = "midtrans_bca_va", reference = "whole-1", input = { amount = 150000 } }
    engine.sleep "31s" -- the call gives up
    t.equal(core.operation.get(made.id).status, "unknown")
    t.clock.advance "10m"
    local op_now = core.operation.get(made.id)
    t.equal(op_now.status, "pending")
    t.truthy(op_now.result.va_number, "shown once it was found")
    control(t, { pay = "whole-1" })
    t.clock.advance "2h"
    op_now = core.operation.get(made.id)
    t.equal(op_now.status, "success", "though nobody heard the callback")
    t.equal(op_now.result.amount, 150000)

    made = core.operation.create { channel = "midtrans_qris", reference = "whole-2", input = { amount = 1000, expires_in = 60 } }
    t.clock.advance "3h"
    t.equal(core.operation.get(made.id).status, "expired")
  end,

  ["a person pays by order id or payment id, whatever the reference became"] = function(t)
    local o = op("o-7", { input = { amount = 1000, order_id = "o-7", expires_in = 60 } })
    t.call(path "gopay", "create", o)
    t.clock.advance "2m"
    o.reference, o.input.expires_in = "o-7-x7k2", nil
    t.call(path "gopay", "create", o)
    t.equal(control(t, { pay = "o-7" }).order_id, "o-7-x7k2")
    t.http.answer { method = "GET", url = "http://luwak.simulated/v1/payments/pay_9", json = { object = "payment", id = "pay_9",
      attempts = { { reference = "gone", status = "expired" }, { reference = "open", status = "pending" } } } }
    local said = t.call("scripts/sandbox/midtrans.lua", { "routes", "POST /_control" }, { body = json.encode { pay = "pay_9" } })
    t.equal(said.status, 400, "no such transaction here, but it was looked for")
  end,
} }
