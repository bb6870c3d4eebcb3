-- scripts/lib/door_midtrans.lua: a payment of ours in Midtrans' words: the answers of Core API and Snap, and the
-- notifications. Whichever provider carries the payment, the shape stays Midtrans'.
--
-- As the original: what the Core API decides shows in the body's status_code, with HTTP 200; a wrong key and
-- failures of our own show in the HTTP status too, and so does what the engine refuses at the door.
local door = require "door"
local midtrans = {}

local table_or, text, wib, rupiah = door.table_or, door.text, door.wib, door.rupiah

local MESSAGES = {
  ["202"] = "The same request is being processed",
  ["401"] = "Transaction cannot be authorized with the current client/server key.",
  ["402"] = "Payment channel is not activated.",
  ["404"] = "Transaction doesn't exist.",
  ["406"] = "The request could not be completed due to a conflict with the current state of the target resource, please try again",
  ["412"] = "Merchant cannot modify the status of the transaction",
  ["413"] = "The request could not be processed due to malformed syntax in the request body.",
  ["414"] = "Refund request is rejected due to invalid amount",
  ["500"] = "Sorry. Our system is recovering from unexpected issues. Please retry.",
  ["503"] = "Bank/partner is experiencing connection issue.",
  ["505"] = "Unable to create the payment at the bank. Please retry.",
}
local PAID = "order_id has been paid and utilized, please use another order ID"

---- refusing ----

-- HTTP's status is 200 but for those; `http` says another one.
local HTTP = { ["202"] = 202, ["401"] = 401, ["500"] = 500, ["503"] = 503, ["505"] = 503 }

local function refusal(code, message, messages)
  return { status_code = code, status_message = message or MESSAGES[code], id = crypto.uuid(), validation_messages = messages and json.array(messages) }
end

function midtrans.refuse(code, message, http) return http or HTTP[code] or 200, refusal(code, message) end

function midtrans.invalid(messages, http)
  return http or 200, refusal("400", "One or more parameters in the payload is invalid.", messages)
end

-- Fields of ours -> fields of theirs.
local FIELDS = { order_id = "transaction_details.order_id", amount = "transaction_details.gross_amount", expires_in = "custom_expiry",
  items = "item_details", bank = "bank_transfer.bank", ["options.phone"] = "customer_details.phone",
  ["options.shipping_address"] = "customer_details.shipping_address", return_urls = "callbacks.finish" }

function midtrans.field(param)
  param = tostring(param or "")
  local theirs = FIELDS[param] or FIELDS[param:match "^%w+" or ""]
  return theirs or (param:gsub("^customer%.", "customer_details."))
end

local CODES = { UNAUTHORIZED = "401", NOT_FOUND = "404", FORBIDDEN = "403", RATE_LIMITED = "429", INTERNAL_ERROR = "500", UNAVAILABLE = "503",
  UNIQUE_CODES_EXHAUSTED = "505", DUPLICATE_TRANSACTION = "406", IDEMPOTENCY_MISMATCH = "406", IDEMPOTENCY_IN_PROGRESS = "202",
  INVALID_STATE = "412", METHOD_NOT_ALLOWED = "405" }

-- A problem of the core. What was asked and is not served by any channel is not activated, in their words.
function midtrans.problem(p)
  local code = CODES[p.code]
  if code then return midtrans.refuse(code) end
  if p.param == "channel" or p.param == "method" then return midtrans.refuse "402" end
  local field = midtrans.field(p.param)
  return midtrans.invalid { (field ~= "" and field .. " " or "") .. (p.detail or "is invalid") }
end

-- What the engine did not let in keeps its HTTP status.
function midtrans.refused(_, why)
  local code = CODES[why.code]
  if code then return midtrans.refuse(code, not MESSAGES[code] and why.detail or nil, why.status) end
  local field = midtrans.field(why.param)
  return midtrans.invalid({ (field ~= "" and field .. ": " or "") .. why.detail }, why.status)
end

---- the transaction ----

local WORDS = { pending = "pending", processing = "pending", expired = "expire", cancelled = "cancel" }
local SEEN = { pending = "201", deny = "202", failure = "202", expire = "407" } -- as status shows it; else 200
local TOLD = { pending = "201", deny = "202", failure = "202", expire = "202", cancel = "202" } -- as notifications do
local FAULTS = { BANK_UNAVAILABLE = true, PROVIDER_ERROR = true, TIMEOUT = true, UNAUTHORIZED_AT_PROVIDER = true, UNIQUE_CODES_EXHAUSTED = true,
  INVALID_REQUEST = true, LIMIT_EXCEEDED = true, DUPLICATE_TRANSACTION = true }

local function failure_of(p) return table_or(p.failure).code end

-- transaction_status and fraud_status. Money that a provider took back looks as Midtrans shows it: denied after
-- settlement, or a chargeback of a part.
local function word_of(p)
  if p.status == "failed" then
    local code = failure_of(p)
    if code == "FRAUD_DETECTED" then return "deny", "deny" end
    return FAULTS[code] and "failure" or "deny", "accept"
  elseif p.status ~= "success" then
    local held = p.status == "processing" and #p.attempts == 0 -- a person looks at it
    return WORDS[p.status], held and "challenge" or "accept"
  end
  local back = p.amount_refunded + p.amount_reversed
  if back == 0 then return "settlement", "accept" end
  if p.amount_reversed > 0 then return back >= p.amount_paid and "deny" or "partial_chargeback", "accept" end
  return back >= p.amount_paid and "refund" or "partial_refund", "accept"
end

local function type_of(p)
  local shown = table_or(p.instructions).type
  if p.method == "virtual_account" then
    return (shown == "bill" or (p.bank == "mandiri" and shown ~= "va_number")) and "echannel" or "bank_transfer"
  elseif p.method == "bank_transfer" then
    return shown == "transfer" and "bank_transfer" or "cimb_clicks"
  elseif p.method == "retail" then return "cstore"
  elseif p.method == "card" then return "credit_card"
  elseif p.method == "qris" then return "qris" end
  return text(p.bank) or p.method
end

-- Where the world reaches us, and the payment's own page there; nil where LUWAK_PUBLIC_URL is not set.
local function places(p)
  local page = text(p.checkout_url)
  return page, page and page:match "^(.*)/pay/[^/]+$"
end

-- A wallet's code as its provider draws it, for a payer who sits at another screen. To us the way is a link; the
-- channel keeps the picture's address with its attempt.
local function picture_of(p)
  local attempt = p.attempts[#p.attempts]
  local row = attempt and store.get("operation_get", attempt.id)
  local doc = row and json.decode(row.doc)
  return text(table_or(table_or(doc).data).qr_image_url)
end

-- What the payer needs, by its kind.
local SHOW = {
  va_number = function(v, i, p)
    if p.bank == "permata" then v.permata_va_number = i.va_number return end
    v.va_numbers = json.array { { bank = text(i.bank) or text(p.bank), va_number = i.va_number } }
    v.payment_amounts = json.array {}
    if p.amount_paid > 0 then v.payment_amounts[1] = { paid_at = wib(p.paid_at), amount = rupiah(p.amount_paid) } end
  end,
  bill = function(v, i) v.biller_code, v.bill_key = i.biller_code, i.bill_key end,
  retail = function(v, i, p) v.payment_code, v.store = i.payment_code, text(i.outlet) or text(p.bank) end,
  qr = function(v, i, p)
    v.qr_string, v.acquirer = text(i.qr_string), "gopay"
    local page = places(p)
    local image = page and text(i.qr_string) and page .. "/qr.png" or text(i.qr_image_url)
    if image then v.actions = json.array { { name = "generate-qr-code", method = "GET", url = image }, { name = "generate-qr-code-v2", method = "GET", url = image } } end
  end,
  redirect = function(v, i, p)
    if p.method ~= "ewallet" then v.redirect_url = i.redirect_url return end
    local _, base = places(p)
    v.actions = json.array {}
    local image = p.bank == "gopay" and picture_of(p)
    if image then v.actions[1] = { name = "generate-qr-code", method = "GET", url = image } end
    v.actions[#v.actions + 1] = { name = "deeplink-redirect", method = "GET", url = text(i.deeplink_url) or i.redirect_url }
    if not base then return end
    v.actions[#v.actions + 1] = { name = "get-status", method = "GET", url = base .. "/v2/" .. p.id .. "/status" }
    v.actions[#v.actions + 1] = { name = "cancel", method = "POST", url = base .. "/v2/" .. p.id .. "/cancel" }
  end,
  transfer = function(v, i)
    v.va_numbers = json.array { { bank = i.bank, va_number = i.account_number } }
    v.gross_amount_to_transfer = rupiah(i.amount_to_transfer) -- a fixed account: the unique code is in the amount
  end,
}
-- Ways that have no words at Midtrans: the payer is sent to our page.
local function by_page(v, _, p) v.redirect_url = (places(p)) end

local function refund_rows(refunds, keys)
  local rows, total = json.array {}, 0
  for i = #refunds, 1, -1 do -- oldest first, as theirs
    local r = refunds[i]
    if r.status == "success" then
      total = total + r.amount
      rows[#rows + 1] = { refund_chargeback_id = r.id, refund_amount = rupiah(r.amount), created_at = wib(r.created_at), reason = text(r.reason),
        refund_key = keys[r.id] or r.id, refund_method = "online", bank_confirmed_at = wib(r.created_at) }
    end
  end
  return rows, total
end

-- about: merchant (id), expired (the merchant ended it by `expire`), refunds, keys (refund id -> refund_key).
function midtrans.view(p, about)
  local status, fraud = word_of(p)
  if status == "cancel" and about.expired then status = "expire" end
  local v = {
    transaction_id = p.id, order_id = p.order_id, merchant_id = about.merchant, gross_amount = rupiah(p.amount), currency = p.currency,
    payment_type = type_of(p), transaction_time = wib(p.created_at), transaction_status = status, fraud_status = fraud,
    expiry_time = wib(p.expires_at), settlement_time = wib(p.paid_at),
  }
  for i = 1, 3 do v["custom_field" .. i] = table_or(p.metadata)["custom_field" .. i] end
  local shown = table_or(p.instructions)
  if shown.type then (SHOW[shown.type] or by_page)(v, shown, p) end
  if v.store == "indomaret" then v.fraud_status = nil end -- as theirs
  if p.status == "failed" then v.channel_response_message = text(table_or(p.failure).message) end
  if about.refunds and #about.refunds > 0 then
    local rows, total = refund_rows(about.refunds, about.keys or {})
    if #rows > 0 then v.refunds, v.refund_amount = rows, rupiah(total) end
  end
  return v
end

-- Lower-case hex of SHA-512 over the texts exactly as they stand in the body, and the key that its owner holds.
local function sign(v, key)
  v.signature_key = crypto.sha512({ v.order_id, v.status_code, v.gross_amount, key }, "hex")
  return v
end

function midtrans.status(p, about, key)
  local v = midtrans.view(p, about)
  v.status_code, v.status_message = SEEN[v.transaction_status] or "200", "Success, transaction is found"
  return 200, sign(v, key)
end

-- Code and message for something that was done; more fields.
function midtrans.done(p, about, code, message, more)
  local v = midtrans.view(p, about)
  v.status_code, v.status_message = code, message
  for name, value in pairs(more or {}) do v[name] = value end
  return 200, v
end

---- a charge ----

local CREATED = { bank_transfer = "Success, Bank Transfer transaction is created", echannel = "OK, Mandiri Bill transaction is successful",
  cstore = "Success, cstore transaction is successful", qris = "QRIS transaction is created", gopay = "GO-PAY transaction is created",
  shopeepay = "ShopeePay transaction is created", kredivo = "Kredivo transaction is created", akulaku = "Success, Akulaku transaction is created",
  credit_card = "Success, Credit Card transaction is successful", cimb_clicks = "Success, CIMB Clicks transaction is successful" }

-- A payment that ended while it was made: denied, or it could not be made. The order may be charged again.
local function not_made(p, about)
  local code = failure_of(p)
  if not FAULTS[code] then
    local says = code == "FRAUD_DETECTED" and "Denied by Fraud Detection System" or text(table_or(p.failure).message) or "Transaction is denied"
    return midtrans.done(p, about, "202", says)
  end
  if code == "INVALID_REQUEST" or code == "LIMIT_EXCEEDED" then return midtrans.invalid { text(table_or(p.failure).message) or "the bank refused it" } end
  if code == "UNAUTHORIZED_AT_PROVIDER" then return midtrans.refuse "402" end
  return midtrans.refuse(p.method == "virtual_account" and "505" or "503")
end

-- What door.create gave. `again`: an order that is there is answered as it stands (one door of ours), else refused.
function midtrans.charged(status, p, replayed, about, again)
  if status >= 300 then
    if p.code == "DUPLICATE_TRANSACTION" and again then return midtrans.refuse("406", "this order_id has a payment of another amount or bank") end
    return midtrans.problem(p)
  end
  if status == 200 and not replayed and not again then return midtrans.refuse("406", p.status == "success" and PAID or nil) end
  if p.status == "failed" then return not_made(p, about) end
  local kind = type_of(p)
  local message = p.bank == "permata" and kind == "bank_transfer" and "Success, PERMATA VA transaction is successful" or CREATED[kind]
    or "Success, " .. kind:upper() .. " transaction is created"
  return midtrans.done(p, about, SEEN[word_of(p)] or "200", message)
end

---- notifications ----

-- What an event of ours is told as; nil: Midtrans has no word for it.
local EVENTS = { ["payment.created"] = true, ["payment.succeeded"] = true, ["payment.failed"] = true, ["payment.expired"] = true,
  ["payment.cancelled"] = true, ["payment.reversed"] = true, ["refund.succeeded"] = true }

function midtrans.notification(kind, p, about, key)
  if not EVENTS[kind] or p.method == json.null then return nil end -- a page where nothing was picked is no transaction
  local v = midtrans.view(p, about)
  v.status_code, v.status_message = TOLD[v.transaction_status] or "200", "midtrans payment notification"
  return sign(v, key)
end

return midtrans
