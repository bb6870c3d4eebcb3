-- Cards and the Snap page at Midtrans: what is sent, what is answered, and what a denial is.
local midtrans = require "midtrans"

local CARD, DANAMON, KREDIVO = "channels/midtrans_card.lua", "channels/midtrans_danamon_va.lua", "channels/midtrans_kredivo.lua"
local KEY = "SB-Mid-server-demo"
local function op(reference, more)
  local o = { id = "op_" .. reference, kind = "create", reference = reference, status = "sending", input = { amount = 150000 } }
  for name, value in pairs(more or {}) do o[name] = value end
  return o
end
local function shown(more)
  local tx = { status_code = "201", transaction_id = "tx-1", order_id = "r1", gross_amount = "150000.00", payment_type = "credit_card",
    transaction_status = "pending", fraud_status = "accept" }
  for name, value in pairs(more or {}) do tx[name] = value end
  return tx
end
local TOKEN = { amount = 150000, token_id = "48111111-1114-x" }

return { tests = {
  ["without a token the payer is sent to Midtrans' page"] = function(t)
    t.http.answer { method = "POST", status = 201, json = { token = "tok", redirect_url = "https://app.sandbox.midtrans.com/snap/v3/redirection/tok" } }
    local d = t.call(CARD, "create", op("r1", { payment = "pay_1", input = { amount = 150000, return_urls = { success = "https://shop.example/ok" } } }))
    t.equal(t.kind(d), "pending")
    t.equal(d.data, { snap_token = "tok" })
    local sent = t.http.requests()[1]
    t.equal(sent.url, "https://app.sandbox.midtrans.com/snap/v1/transactions")
    local body = json.decode(sent.body)
    t.equal(body.enabled_payments, { "credit_card" })
    t.equal(body.credit_card, { secure = true })
    t.equal(body.callbacks, { finish = "https://shop.example/ok" })
    t.equal(body.expiry.duration, 60)
  end,
  ["what Snap says, as a decision"] = function(t)
    for status, kind in pairs { [400] = "failed", [401] = "failed", [429] = "not_created", [500] = "unknown", [201] = "unknown" } do
      t.http.answer { method = "POST", status = status, json = { error_messages = { "x" } } }
      if status == 400 then t.http.answer { method = "GET", json = { status_code = "404" } } end
      t.equal(t.kind(t.call(CARD, "create", op "r1")), kind, status)
    end
    t.http.answer { method = "POST", status = 400, json = { error_messages = { "taken" } } }
    for _ = 1, 2 do t.http.answer { method = "GET", json = shown { custom_field1 = "pay_other" } } end
    t.equal(t.call(CARD, "create", op("r1", { payment = "pay_1" })).category, "DUPLICATE_TRANSACTION")
    t.http.answer { method = "POST", status = 404, body = "<html>" }
    t.equal(t.kind(t.call(CARD, "create", op "r1")), "unknown", "a proxy's 404 is not Snap's")
  end,
  ["on the page a denial is one attempt, and 404 that nothing was picked"] = function(t)
    t.http.answer { json = shown { status_code = "202", transaction_status = "deny" } }
    t.equal(t.kind(t.call(CARD, "inquire", op("r1", { status = "pending" }))), "pending")
    t.http.answer { json = { status_code = "404" } }
    t.equal(t.kind(t.call(CARD, "inquire", op("r1", { status = "pending" }))), "pending")
    t.http.answer { json = { status_code = "404" } }
    t.equal(t.kind(t.call(CARD, "inquire", op("r1", { status = "unknown" }))), "not_created", "nobody was shown the page")
  end,
  ["with a token it is charged with 3DS, and a denial is the end"] = function(t)
    t.http.answer { method = "POST", json = shown { redirect_url = "https://3ds.example/x" } }
    local d = t.call(CARD, "create", op("r1", { input = TOKEN }))
    t.equal(t.kind(d) .. " " .. d.redirect_url, "pending https://3ds.example/x")
    local body = json.decode(t.http.requests()[1].body)
    t.equal(body.credit_card, { token_id = "48111111-1114-x", authentication = true })
    for code, category in pairs { ["51"] = "INSUFFICIENT_BALANCE", ["55"] = "INVALID_OTP", ["43"] = "FRAUD_DETECTED", ["91"] = "BANK_UNAVAILABLE",
      ["68"] = "TIMEOUT", ["05"] = "CARD_DECLINED", ["Z9"] = "CARD_DECLINED" } do
      t.http.answer { json = shown { status_code = "202", transaction_status = "deny", channel_response_code = code } }
      d = t.call(CARD, "inquire", op("r1", { status = "pending", input = TOKEN }))
      t.equal(t.kind(d) .. " " .. d.category, "failed " .. category, code)
    end
    t.http.answer { method = "POST", json = { status_code = "411", status_message = "x" } }
    d = t.call(CARD, "create", op("r1", { input = TOKEN }))
    t.equal(t.kind(d) .. " " .. d.category, "failed INVALID_REQUEST")
    t.http.answer { method = "POST", json = shown { status_code = "200", transaction_status = "capture", fraud_status = "challenge" } }
    t.equal(t.kind(t.call(CARD, "create", op("r1", { input = TOKEN }))), "processing")
  end,
  ["a notification of a denial leaves the page open, and ends a token"] = function(t)
    local function heard(data)
      local note = { order_id = "r1", status_code = "202", gross_amount = "150000.00", transaction_id = "tx-1", transaction_status = "deny",
        fraud_status = "accept", payment_type = "credit_card" }
      note.signature_key = crypto.sha512({ note.order_id, note.status_code, note.gross_amount, KEY }, "hex")
      local settled
      local answer = midtrans.notify({ config = { server_key = KEY }, host = function() return "h" end, verify = function(f) assert(f == true) end,
        find = function() return { status = "pending", data = data } end, settle = function(what) settled = settled or what; return "applied" end,
        http = { get = function() return { status = 200, json = function() return note end } end } },
        { headers = {}, body = json.encode(note) })
      return answer.status, settled and settled.status
    end
    t.equal({ heard { snap_token = "tok" } }, { 200, "reversed" }, "the core knows whether there is anything to take back")
    t.equal({ heard { transaction_id = "tx-1" } }, { 200, "failed" })
  end,
  ["a cancel of what a card brought is a reversal, unless a refund of ours did it"] = function(t)
    local note = { order_id = "r1", status_code = "202", gross_amount = "150000.00", transaction_id = "tx-1", transaction_status = "cancel",
      fraud_status = "accept", payment_type = "credit_card" }
    note.signature_key = crypto.sha512({ note.order_id, note.status_code, note.gross_amount, KEY }, "hex")
    local function heard(refund, amount)
      local all = {}
      local answer = midtrans.notify({ config = { server_key = KEY }, host = function() return "h" end, verify = function(f) assert(f == true) end,
        find = function(by)
          if by.refund_of then return by.refund_of == "r1" and refund and { status = refund, amount = amount or 150000 } or nil end
          return { status = "success", data = {} }
        end,
        settle = function(what) all[#all + 1] = what.status return "applied" end,
        http = { get = function() return { status = 200, json = function() return note end } end } },
        { headers = {}, body = json.encode(note) })
      return answer.status .. " " .. table.concat(all, " ")
    end
    for _, open in ipairs { "sending", "unknown", "processing", "success" } do t.equal(heard(open), "200 ", open) end
    t.equal(heard(nil), "200 cancelled reversed", "none, or one that failed")
    t.equal(heard("processing", 50000), "200 cancelled reversed", "a part never goes back by a cancel")
  end,
  ["a card's refund: cancelled while it is captured and all of it goes back, else refunded"] = function(t)
    local function refund(amount, tx, said)
      t.http.answer { url = "https://api.sandbox.midtrans.com/v2/r1/status", json = tx }
      t.http.answer { method = "POST", json = said }
      local d = t.call(CARD, "refund", { id = "op_x", kind = "refund", reference = "re-1", status = "sending", input = { amount = amount, reference = "r1" } })
      local sent = t.http.requests()
      return t.kind(d) .. " " .. sent[#sent].url:match "/v2/(.*)$"
    end
    local captured = shown { transaction_status = "capture" }
    t.equal(refund(150000, captured, shown { status_code = "200", transaction_status = "cancel" }), "success tx-1/cancel")
    t.equal(refund(50000, captured, { status_code = "412", status_message = "no" }), "failed r1/refund")
    t.equal(refund(150000, shown { transaction_status = "settlement" }, { status_code = "200", refund_key = "re-1" }), "success r1/refund")
    t.equal(refund(150000, shown { payment_type = "gopay", transaction_status = "settlement" }, { status_code = "200", refund_key = "re-1" }), "success r1/refund")
  end,
  ["Danamon: without Midtrans' own id nobody can be asked, and nobody was shown"] = function(t)
    t.equal(t.kind(t.call(DANAMON, "inquire", op("r1", { status = "unknown" }))), "not_created")
    t.http.answer { url = "https://api.sandbox.midtrans.com/v2/tx-1/status", json = shown { payment_type = "bank_transfer" } }
    t.equal(t.kind(t.call(DANAMON, "inquire", op("r1", { status = "pending", data = { transaction_id = "tx-1" } }))), "pending")
  end,
  ["Kredivo: items that add up, the buyer and where it goes"] = function(t)
    t.http.answer { method = "POST", json = shown { redirect_url = "https://kredivo.example" } }
    t.call(KREDIVO, "create", op("r1", { input = { amount = 150000, customer = { name = "Budi", email = "b@example.com", phone = "0812" },
      shipping_address = { address = "Jalan 1" } } }))
    local body = json.decode(t.http.requests()[1].body)
    t.equal(body.item_details, { { id = "r1", name = "r1", price = 150000, quantity = 1 } })
    t.equal(body.customer_details.shipping_address, { address = "Jalan 1" })
  end,
} }
