-- scripts/lib/sandbox_xendit.lua: what Xendit takes and how it shows it: errors, payment requests and
-- methods (v2), invoices, refunds. The older product APIs are in sandbox_xendit_products.lua. For its
-- simulator only; the channels share nothing with it.
--
-- A record of the books, of every product: { id, kind, reference, amount, status, channel, made_at,
-- updated_at, expires_at, payments = {}, refunds = {}, ... }; status is one of pending, paid, failed,
-- expired, voided, inactive.
local rules = {}

rules.BUSINESS = "5f27a14a9bf05c73dd040bc8"
local MINUTE, HOUR, DAY = 60000, 3600000, 86400000

local function table_or(value) return type(value) == "table" and value or {} end
rules.table_or = table_or

function rules.utc(ms) return ms and time.format(ms, "%Y-%m-%dT%H:%M:%S.%LZ", "UTC") or nil end
local utc = rules.utc

---- errors ----

local STATUS = { API_VALIDATION_ERROR = 400, INVALID_JSON_FORMAT = 400, INVALID_API_KEY = 401, CHANNEL_NOT_ACTIVATED = 403, DATA_NOT_FOUND = 404,
  DUPLICATE_ERROR = 409, IDEMPOTENCY_ERROR = 409, SERVER_ERROR = 500, CHANNEL_UNAVAILABLE = 503, INVOICE_NOT_FOUND_ERROR = 404,
  CALLBACK_VIRTUAL_ACCOUNT_NOT_FOUND_ERROR = 404 }
local MESSAGES = {
  API_VALIDATION_ERROR = "There was an error with the format submitted to the server.",
  INVALID_JSON_FORMAT = "The request body is no valid JSON.",
  INVALID_API_KEY = "The API key provided is invalid.",
  CHANNEL_NOT_ACTIVATED = "Payment request failed because this specific payment channel has not been activated.",
  CHANNEL_UNAVAILABLE = "The payment channel requested is currently experiencing unexpected issues.",
  SERVER_ERROR = "An unexpected error occurred.",
  DATA_NOT_FOUND = "The requested resource was not found.",
  INELIGIBLE_TRANSACTION_STATUS = "The status of the transaction does not allow this.",
  IDEMPOTENCY_ERROR = "The idempotency key was used with another request.",
}

function rules.refuse(code, message, errors)
  return reply(STATUS[code] or 400, { error_code = code, message = message or MESSAGES[code] or code, errors = errors })
end

function rules.invalid(list)
  local errors = json.array {}
  for i, text in ipairs(list) do errors[i] = { message = text, path = text:match "^%S+" } end
  return rules.refuse("API_VALIDATION_ERROR", nil, errors)
end

-- Test mode's magic amounts of wallets and QR: refused at once; nil: none of them.
local AT_CREATE = { [10100] = "CHANNEL_NOT_ACTIVATED", [10101] = "CHANNEL_UNAVAILABLE", [10102] = "SERVER_ERROR" }
function rules.magic(amount) return AT_CREATE[amount] end

-- ... and when it is paid: fails with this. [20107 to 20111: order not seen]
local AT_PAYMENT = { [20103] = "ACCOUNT_ACCESS_BLOCKED", [20104] = "INVALID_MERCHANT_CREDENTIALS", [20105] = "USER_DECLINED_PAYMENT",
  [20106] = "INVALID_ACCOUNT_DETAILS", [20107] = "INSUFFICIENT_BALANCE" }
function rules.failure(tx) return tx.wallet and AT_PAYMENT[tx.amount] or nil end

---- channels ----

-- How long it can be paid, what it takes, for how long it gives back; digits of a number.
local function va(prefix, digits, min, max) return { lasts = 31 * DAY, min = min or 10000, max = max or 50000000, prefix = prefix, digits = digits } end
rules.BANKS = { BCA = va("10766", 11), BNI = va("8808", 12), BRI = va("13282", 11), MANDIRI = va("88608", 11, 1, 50000000000),
  PERMATA = va("821456", 10), CIMB = va("93490", 11), BSI = va("9347", 12), BJB = va("1234", 12), BNC = va("9011", 12) }
rules.WALLETS = {
  OVO = { lasts = 55000, max = 20000000, push = "mobile_number" },
  DANA = { lasts = DAY, max = 20000000, refund = 30 * DAY },
  LINKAJA = { lasts = 30 * MINUTE, max = 10000000, refund = 30 * DAY, whole = true },
  SHOPEEPAY = { lasts = 30 * MINUTE, max = 20000000, refund = 365 * DAY },
  JENIUSPAY = { lasts = 15 * MINUTE, min = 1000, max = 20000000, push = "cashtag" },
  ASTRAPAY = { lasts = 15 * MINUTE, max = 20000000 },
}
rules.OUTLETS = { ALFAMART = { lasts = 31 * DAY, min = 10000, max = 5000000, prefix = "ALFA" },
  INDOMARET = { lasts = 31 * DAY, min = 10000, max = 5000000, prefix = "INDO" } }
rules.QRS = { QRIS = { lasts = 48 * HOUR, min = 1, max = 10000000, refund = 7 * DAY } }
rules.INVOICED = { KREDIVO = { refund = 14 * DAY }, CREDIT_CARD = { refund = 180 * DAY }, AKULAKU = {}, QRIS = { refund = 7 * DAY },
  DANA = { refund = 30 * DAY } }

local TYPES = {
  VIRTUAL_ACCOUNT = { member = "virtual_account", channels = rules.BANKS },
  EWALLET = { member = "ewallet", channels = rules.WALLETS },
  OVER_THE_COUNTER = { member = "over_the_counter", channels = rules.OUTLETS },
  QR_CODE = { member = "qr_code", channels = rules.QRS },
}
rules.TYPES = TYPES

function rules.amount_ok(amount, channel)
  return math.type(amount) == "integer" and amount >= (channel and channel.min or 100) and amount <= (channel and channel.max or 50000000000)
end

function rules.name_ok(name) return type(name) == "string" and #name >= 1 and #name <= 255 and not name:find "[^%a ]" end
function rules.phone_ok(phone) return type(phone) == "string" and phone:find "^%+62%d%d%d%d%d%d%d+$" ~= nil end
function rules.url_ok(url) return type(url) == "string" and url:find "^https?://[^/]+" ~= nil end

local function expiry(properties, channel, wrong, at)
  if properties.expires_at == nil then return at + channel.lasts end
  local ms = type(properties.expires_at) == "string" and time.parse(properties.expires_at, "rfc3339", "UTC")
  if not ms or ms <= at then
    wrong[#wrong + 1] = "channel_properties.expires_at must be a date-time to come"
    return at
  end
  return ms
end

-- A payment_method: what is wrong; else its type, channel, properties and end.
function rules.check_method(method, amount, at)
  local wrong, kind = {}, TYPES[table_or(method).type]
  if not kind then return { "payment_method.type must be one of EWALLET, OVER_THE_COUNTER, QR_CODE, VIRTUAL_ACCOUNT" } end
  if method.reusability ~= "ONE_TIME_USE" and method.reusability ~= "MULTIPLE_USE" then
    wrong[#wrong + 1] = "payment_method.reusability must be ONE_TIME_USE or MULTIPLE_USE"
  end
  local way = table_or(method[kind.member])
  local code = way.channel_code or (method.type == "QR_CODE" and "QRIS")
  local channel = kind.channels[code]
  if not channel then return { "payment_method." .. kind.member .. ".channel_code is not supported" } end
  if method.reusability == "ONE_TIME_USE" and not rules.amount_ok(amount, channel) then
    wrong[#wrong + 1] = "amount must be a whole number within the limits of the channel"
  end
  local p = table_or(way.channel_properties)
  if (method.type == "VIRTUAL_ACCOUNT" or method.type == "OVER_THE_COUNTER") and not rules.name_ok(p.customer_name) then
    wrong[#wrong + 1] = "channel_properties.customer_name must be 1 to 255 letters and blanks"
  end
  if method.type == "EWALLET" then
    if channel.push == "mobile_number" and not rules.phone_ok(p.mobile_number) then
      wrong[#wrong + 1] = "channel_properties.mobile_number must be like +628123123123"
    elseif channel.push == "cashtag" and not (type(p.cashtag) == "string" and p.cashtag:find "^%$[%w_]+$") then
      wrong[#wrong + 1] = "channel_properties.cashtag must be like $name"
    elseif not channel.push and not rules.url_ok(p.success_return_url) then
      wrong[#wrong + 1] = "channel_properties.success_return_url is required"
    end
  end
  local number = p.virtual_account_number
  if number ~= nil and not (type(number) == "string" and number:find "^%d+$" and number:sub(1, #channel.prefix) == channel.prefix) then
    wrong[#wrong + 1] = "channel_properties.virtual_account_number is outside of your range"
  end
  local ends = expiry(p, channel, wrong, at)
  return wrong, { type = method.type, channel = code, properties = p, expires_at = ends, reusability = method.reusability,
    wallet = method.type == "EWALLET", number = number, push = channel.push ~= nil }
end

---- how payment requests and methods look ----

local REQUEST_STATUS = { paid = "SUCCEEDED", failed = "FAILED", expired = "EXPIRED", voided = "VOIDED", inactive = "EXPIRED" }
local METHOD_STATUS = { pending = "ACTIVE", paid = "INACTIVE", failed = "INACTIVE", expired = "EXPIRED", voided = "INACTIVE", inactive = "EXPIRED" }

function rules.method(tx, status)
  local member = TYPES[tx.type].member
  local properties = {}
  for name, value in pairs(tx.properties) do properties[name] = value end
  properties.virtual_account_number = tx.type == "VIRTUAL_ACCOUNT" and tx.number or nil
  properties.payment_code = tx.type == "OVER_THE_COUNTER" and tx.number or nil
  properties.qr_string = tx.qr_string
  if tx.type ~= "EWALLET" then properties.expires_at = utc(tx.expires_at) end
  local fixed = (tx.type == "VIRTUAL_ACCOUNT" or tx.type == "OVER_THE_COUNTER") and tx.amount or nil
  local view = { id = tx.method, business_id = rules.BUSINESS, type = tx.type, country = "ID", reusability = tx.reusability,
    status = METHOD_STATUS[status], reference_id = tx.method_reference or tx.reference, description = tx.description,
    created = utc(tx.made_at), updated = utc(tx.updated_at), customer_id = json.null, metadata = tx.metadata or json.null,
    actions = json.array {}, failure_code = json.null, billing_information = json.null }
  for _, kind in pairs(TYPES) do view[kind.member] = json.null end
  view.card, view.direct_debit = json.null, json.null
  view[member] = { channel_code = tx.channel, channel_properties = properties, currency = "IDR", amount = fixed }
  return view
end

local function actions(tx, status)
  local list = json.array {}
  if status ~= "pending" or tx.type ~= "EWALLET" or tx.push then return list end
  local function add(kind, url)
    list[#list + 1] = { action = "AUTH", url_type = kind, method = "GET", url = url, qr_code = json.null }
  end
  if tx.channel == "SHOPEEPAY" then
    add("DEEPLINK", tx.base .. "/pay/" .. tx.id)
    list[#list + 1] = { action = "PRESENT_TO_CUSTOMER", url_type = "MOBILE", method = json.null, url = json.null, qr_code = "shopeepay:" .. tx.id }
  else
    add("MOBILE", tx.base .. "/pay/" .. tx.id)
    add("WEB", tx.base .. "/pay/" .. tx.id)
  end
  return list
end

function rules.request(tx, status)
  local says = REQUEST_STATUS[status] or (tx.type == "EWALLET" and not tx.push and "REQUIRES_ACTION") or "PENDING"
  return { id = tx.id, business_id = rules.BUSINESS, reference_id = tx.reference, amount = tx.amount, currency = "IDR", country = "ID",
    payment_method = rules.method(tx, status), description = tx.description or json.null, status = says, actions = actions(tx, status),
    failure_code = tx.failure or json.null, capture_method = "AUTOMATIC", customer_id = json.null, initiator = json.null,
    card_verification_results = json.null, channel_properties = json.null, shipping_information = json.null, items = json.null,
    metadata = tx.metadata or json.null, created = utc(tx.made_at), updated = utc(tx.updated_at) }
end

local PAYMENT_STATUS = { paid = "SUCCEEDED", failed = "FAILED", voided = "VOIDED" }

function rules.payment(tx, p)
  return { id = p.id, payment_request_id = tx.kind == "request" and tx.id or json.null, reference_id = tx.reference, currency = "IDR",
    amount = p.amount, country = "ID", status = PAYMENT_STATUS[p.status], payment_method = rules.method(tx, tx.status),
    channel_properties = json.null, payment_detail = json.null, failure_code = p.failure or json.null, customer_id = json.null,
    description = tx.description or json.null, metadata = tx.metadata or json.null, created = utc(p.at), updated = utc(p.at) }
end

-- event "payment.succeeded" of a payment, or "payment_method.expired".
function rules.request_event(tx, event, p, at)
  return { event = event, business_id = rules.BUSINESS, created = utc(at), api_version = json.null,
    data = p and rules.payment(tx, p) or rules.method(tx, tx.status) }
end

---- invoices ----

local INVOICE_STATUS = { pending = "PENDING", paid = "PAID", expired = "EXPIRED", inactive = "EXPIRED", failed = "PENDING", voided = "PAID" }
local LISTS = { "available_banks", "available_retail_outlets", "available_ewallets", "available_qr_codes", "available_direct_debits",
  "available_paylaters" }
local PAID_BY = { CREDIT_CARD = { "CREDIT_CARD", "CREDIT_CARD" }, KREDIVO = { "PAYLATER", "KREDIVO" }, AKULAKU = { "PAYLATER", "AKULAKU" } }

function rules.check_invoice(want)
  local wrong = {}
  local function bad(text) wrong[#wrong + 1] = text end
  if type(want.external_id) ~= "string" or want.external_id == "" or #want.external_id > 255 then bad "external_id is required, 255 characters at most" end
  if math.type(want.amount) ~= "integer" or want.amount < 1000 then bad "amount is required, at least 1000" end
  if want.currency ~= nil and want.currency ~= "IDR" then bad "currency is not supported" end
  local lasts = want.invoice_duration
  if lasts ~= nil and lasts ~= json.null and (math.type(lasts) ~= "integer" or lasts < 1 or lasts > 31536000) then
    bad "invoice_duration must be seconds, a year at most"
  end
  if want.payment_methods ~= nil and type(want.payment_methods) ~= "table" then bad "payment_methods must be a list" end
  for _, name in ipairs { "success_redirect_url", "failure_redirect_url" } do
    if want[name] ~= nil and not rules.url_ok(want[name]) then bad(name .. " must be a URL") end
  end
  if want.payer_email ~= nil and not tostring(want.payer_email):find "^[^@%s]+@[^@%s]+$" then bad "payer_email must be an address" end
  return wrong
end

function rules.invoice(tx, status)
  local v = { id = tx.id, external_id = tx.reference, user_id = rules.BUSINESS, status = INVOICE_STATUS[status], merchant_name = "Toko Simulator",
    merchant_profile_picture_url = "https://xnd-companies.example/logo.png", amount = tx.amount, expiry_date = utc(tx.expires_at),
    invoice_url = tx.base .. "/pay/" .. tx.id, should_exclude_credit_card = not tx.methods.CREDIT_CARD, should_send_email = false,
    created = utc(tx.made_at), updated = utc(tx.updated_at), currency = "IDR", description = tx.description, payer_email = tx.email,
    success_redirect_url = tx.back, failure_redirect_url = tx.failure_url, metadata = tx.metadata }
  for _, name in ipairs(LISTS) do v[name] = json.array {} end
  for name in pairs(tx.methods) do
    local by = PAID_BY[name]
    if by and by[1] == "PAYLATER" then v.available_paylaters[1] = { paylater_type = name } end
    if rules.BANKS[name] then v.available_banks[#v.available_banks + 1] = { bank_code = name, collection_type = "POOL", bank_branch = "Virtual Account" } end
    if rules.WALLETS[name] then v.available_ewallets[#v.available_ewallets + 1] = { ewallet_type = name } end
    if name == "QRIS" then v.available_qr_codes[1] = { qr_code_type = "QRIS" } end
  end
  local p = tx.payments[1]
  if p and status ~= "expired" then
    local by = PAID_BY[tx.paid_by] or { "EWALLET", tx.paid_by }
    v.paid_amount, v.paid_at, v.payment_method, v.payment_channel, v.payment_id = p.amount, utc(p.at), by[1], by[2], p.id
  end
  return v
end

-- What is told of an invoice: flat, and without the lists.
function rules.invoice_event(tx)
  local v = rules.invoice(tx, tx.status)
  for _, name in ipairs(LISTS) do v[name] = nil end
  v.invoice_url, v.expiry_date, v.merchant_profile_picture_url, v.should_exclude_credit_card, v.should_send_email = nil, nil, nil, nil, nil
  return v
end

---- refunds ----

function rules.refund(tx, r)
  return { id = r.id, payment_request_id = tx.kind == "request" and tx.id or json.null, invoice_id = tx.kind == "invoice" and tx.id or json.null,
    payment_id = tx.payments[1] and tx.payments[1].id, payment_method_type = tx.type, channel_code = tx.channel, amount = r.amount, currency = "IDR",
    country = "ID", reference_id = r.reference, reason = r.reason, status = r.status, failure_code = r.failure or json.null,
    refund_fee_amount = json.null, metadata = r.metadata or json.null, created = utc(r.at), updated = utc(r.updated_at) }
end

-- Why not; or nil and how much.
function rules.refund_no(tx, want, at)
  local channel
  if tx.kind == "invoice" then
    channel = rules.INVOICED[tx.paid_by]
  else
    channel = TYPES[tx.type].channels[tx.channel]
  end
  if tx.status ~= "paid" then return rules.refuse "INELIGIBLE_TRANSACTION_STATUS" end
  if not channel or not channel.refund then return rules.refuse "REFUND_NOT_SUPPORTED" end
  local p = tx.payments[1]
  local left = p.amount - tx.refunded
  local amount = want.amount == nil and left or want.amount
  if math.type(amount) ~= "integer" or amount < 1 then return rules.invalid { "amount must be a whole number" } end
  if amount == 10301 or (channel.whole and amount ~= p.amount) then return rules.refuse "PARTIAL_REFUND_NOT_SUPPORTED" end
  if amount == 10303 then return rules.refuse "REFUND_NOT_SUPPORTED" end
  if amount > left then return rules.refuse "REFUND_AMOUNT_EXCEEDED" end
  if at > p.at + channel.refund then return rules.refuse("INELIGIBLE_TRANSACTION_STATUS", "The refund window is over.") end
  return nil, amount
end

local REASONS = { FRAUDULENT = true, DUPLICATE = true, REQUESTED_BY_CUSTOMER = true, CANCELLATION = true, OTHERS = true }
function rules.reason_ok(reason) return REASONS[reason] == true end

---- QR ----

local function tlv(id, value) return ("%s%02d%s"):format(id, #value, value) end

function rules.qr_string(amount, n)
  local text = tlv("00", "01") .. tlv("01", amount and "12" or "11")
    .. tlv("26", tlv("00", "ID.CO.XENDIT.WWW") .. tlv("01", "936008480000000018") .. tlv("02", "5f27a14a9bf05c7") .. tlv("03", "UKE"))
    .. tlv("52", "5399") .. tlv("53", "360") .. (amount and tlv("54", tostring(amount)) or "") .. tlv("58", "ID") .. tlv("59", "Toko Simulator")
    .. tlv("60", "Jakarta") .. tlv("61", "10110") .. tlv("62", tlv("05", ("X%012d"):format(n)) .. tlv("07", "A01")) .. "6304"
  return text .. ("%04X"):format(crypto.crc16(text))
end

return rules
