-- scripts/lib/sandbox_xendit_products.lua: Xendit's older product APIs, as xendit-node 1 speaks them: fixed
-- virtual accounts, e-wallet charges, QR codes (both shapes), fixed payment codes. Per product: check(want,
-- at) says what is wrong and what the record begins with, view(tx, status) shows it, event(tx, p, at) is what
-- is told of a payment. For the simulator only.
local rules = require "sandbox_xendit"

local utc, table_or = rules.utc, rules.table_or
local products = {}
local DAY = 86400000

local function ends(text, wrong, otherwise, at)
  if text == nil then return otherwise end
  local ms = type(text) == "string" and time.parse(text, "rfc3339", "UTC")
  if not ms or ms <= at then
    wrong[#wrong + 1] = "expiration_date must be a date-time to come"
    return otherwise
  end
  return ms
end

local function reference_ok(want, name, wrong)
  if type(want[name]) ~= "string" or want[name] == "" or #want[name] > 255 then
    wrong[#wrong + 1] = name .. " is required, 255 characters at most"
  end
end

---- fixed virtual accounts ----

local VA = { prefix = "va" }
products.va = VA

function VA.check(want, at)
  local wrong, bank = {}, rules.BANKS[want.bank_code]
  reference_ok(want, "external_id", wrong)
  if not bank then return wrong, nil, "BANK_NOT_SUPPORTED_ERROR" end
  if not rules.name_ok(want.name) then wrong[#wrong + 1] = "name must be 1 to 255 letters and blanks" end
  local closed, amount = want.is_closed == true, want.expected_amount
  if closed and amount == nil then return wrong, nil, "EXPECTED_AMOUNT_REQUIRED_ERROR" end
  if amount ~= nil and math.type(amount) ~= "integer" then wrong[#wrong + 1] = "expected_amount must be a whole number" end
  if math.type(amount) == "integer" and amount < bank.min then return wrong, nil, "MINIMUM_EXPECTED_AMOUNT_ERROR" end
  if math.type(amount) == "integer" and amount > bank.max then return wrong, nil, "MAXIMUM_EXPECTED_AMOUNT_ERROR" end
  local number = want.virtual_account_number
  if number ~= nil and (type(number) ~= "string" or not number:find "^%d+$") then wrong[#wrong + 1] = "virtual_account_number must be digits" end
  if #wrong == 0 and number ~= nil and #number > bank.digits then return wrong, nil, "VIRTUAL_ACCOUNT_NUMBER_OUTSIDE_RANGE" end
  return wrong, { reference = want.external_id, amount = amount, channel = want.bank_code, name = want.name, closed = closed,
    single = want.is_single_use == true, expires_at = ends(want.expiration_date, wrong, at + 31 * 365 * DAY, at), wanted = number,
    suggested = want.suggested_amount, description = want.description, awake = false, prefix = bank.prefix, digits = bank.digits }
end

-- PENDING until the bank knows the number; an update sends it through PENDING again.
function VA.view(tx, status)
  local says = status == "pending" and (tx.awake and "ACTIVE" or "PENDING") or "INACTIVE"
  return { id = tx.id, owner_id = rules.BUSINESS, external_id = tx.reference, bank_code = tx.channel, merchant_code = tx.prefix, name = tx.name,
    account_number = tx.number, is_closed = tx.closed, expected_amount = tx.amount, suggested_amount = tx.suggested, is_single_use = tx.single,
    expiration_date = utc(tx.expires_at), description = tx.description, status = says, currency = "IDR", country = "ID" }
end

function VA.event(tx, p)
  return { id = p.id .. "-cb", payment_id = p.id, callback_virtual_account_id = tx.id, owner_id = rules.BUSINESS, external_id = tx.reference,
    account_number = tx.number, bank_code = tx.channel, transaction_timestamp = utc(p.at), amount = p.amount, merchant_code = tx.prefix,
    currency = "IDR", country = "ID", sender_name = "Orang Simulator" }
end

-- What is told when the number became payable.
function VA.awake_event(tx, at)
  local v = VA.view(tx, tx.status)
  v.created, v.updated = utc(tx.made_at), utc(at)
  return v
end

---- fixed payment codes ----

local CODE = { prefix = "fpc" }
products.code = CODE

function CODE.check(want, at)
  local wrong, outlet = {}, rules.OUTLETS[want.retail_outlet_name]
  reference_ok(want, "external_id", wrong)
  if not outlet then wrong[#wrong + 1] = "retail_outlet_name must be ALFAMART or INDOMARET" end
  if not rules.name_ok(want.name) then wrong[#wrong + 1] = "name must be 1 to 255 letters and blanks" end
  if not rules.amount_ok(want.expected_amount, outlet) then wrong[#wrong + 1] = "expected_amount must be from 10000 to 5000000" end
  local code = want.payment_code
  if code ~= nil and (type(code) ~= "string" or not code:find "^%w+$") then wrong[#wrong + 1] = "payment_code must be letters and digits" end
  return wrong, { reference = want.external_id, amount = want.expected_amount, channel = want.retail_outlet_name, name = want.name, closed = true,
    single = want.is_single_use == true, expires_at = ends(want.expiration_date, wrong, at + 31 * DAY, at), wanted = code, prefix = "TEST" }
end

function CODE.view(tx, status)
  return { id = tx.id, owner_id = rules.BUSINESS, external_id = tx.reference, retail_outlet_name = tx.channel, prefix = tx.prefix, name = tx.name,
    payment_code = tx.number, type = "USER", expected_amount = tx.amount, is_single_use = tx.single, expiration_date = utc(tx.expires_at),
    status = status == "pending" and "ACTIVE" or "INACTIVE" }
end

function CODE.event(tx, p)
  return { id = p.id .. "-cb", external_id = tx.reference, prefix = tx.prefix, payment_code = tx.number, retail_outlet_name = tx.channel,
    name = tx.name, amount = p.amount, status = "COMPLETED", transaction_timestamp = utc(p.at), payment_id = p.id,
    fixed_payment_code_payment_id = p.id, fixed_payment_code_id = tx.id, owner_id = rules.BUSINESS }
end

-- One row of GET /fixed_payment_code/{id}/payments.
function CODE.payment(tx, p)
  return { id = p.id, fixed_payment_code_payment_id = p.id, fixed_payment_code_id = tx.id, external_id = tx.reference, amount = p.amount,
    status = "COMPLETED", payment_code = tx.number, transaction_timestamp = utc(p.at) }
end

---- e-wallet charges ----

local CHARGE = { prefix = "ewc_" }
products.charge = CHARGE

function CHARGE.check(want, at)
  local wrong, p = {}, table_or(want.channel_properties)
  local name = type(want.channel_code) == "string" and want.channel_code:match "^ID_(%u+)$"
  local wallet = rules.WALLETS[name]
  reference_ok(want, "reference_id", wrong)
  if want.currency ~= "IDR" then return wrong, nil, "UNSUPPORTED_CURRENCY" end
  if want.checkout_method ~= "ONE_TIME_PAYMENT" then wrong[#wrong + 1] = "checkout_method must be ONE_TIME_PAYMENT here" end
  if not wallet then return wrong, nil, "CHANNEL_CODE_NOT_SUPPORTED_ERROR" end
  if not rules.amount_ok(want.amount, wallet) then wrong[#wrong + 1] = "amount must be a whole number within the limits of the channel" end
  if wallet.push == "mobile_number" and not rules.phone_ok(p.mobile_number) then
    wrong[#wrong + 1] = "channel_properties.mobile_number must be like +628123123123"
  elseif wallet.push == "cashtag" and not (type(p.cashtag) == "string" and p.cashtag:find "^%$[%w_]+$") then
    wrong[#wrong + 1] = "channel_properties.cashtag must be like $name"
  elseif not wallet.push and not rules.url_ok(p.success_redirect_url) then
    wrong[#wrong + 1] = "channel_properties.success_redirect_url is required"
  end
  return wrong, { reference = want.reference_id, amount = want.amount, channel = name, wallet = true, push = wallet.push ~= nil, single = true,
    closed = true, properties = p, expires_at = at + wallet.lasts, metadata = want.metadata, basket = want.basket, back = p.success_redirect_url }
end

local CHARGE_STATUS = { pending = "PENDING", paid = "SUCCEEDED", failed = "FAILED", expired = "FAILED", voided = "VOIDED" }

function CHARGE.view(tx, status)
  local page = not tx.push and tx.base .. "/pay/" .. tx.id or nil
  local actions = page and { desktop_web_checkout_url = page, mobile_web_checkout_url = page,
    mobile_deeplink_checkout_url = tx.channel == "SHOPEEPAY" and page or json.null,
    qr_checkout_string = tx.channel == "SHOPEEPAY" and "shopeepay:" .. tx.id or json.null } or json.null
  local p = tx.payments[1]
  return { id = tx.id, business_id = rules.BUSINESS, reference_id = tx.reference, status = tx.refunded > 0 and tx.refunded == p.amount and "REFUNDED"
    or CHARGE_STATUS[status], currency = "IDR", charge_amount = tx.amount, capture_amount = p and p.amount or json.null,
    refunded_amount = tx.refunded > 0 and tx.refunded or json.null, checkout_method = "ONE_TIME_PAYMENT", channel_code = "ID_" .. tx.channel,
    channel_properties = tx.properties, actions = actions, is_redirect_required = not tx.push, callback_url = "https://callback.example/",
    created = utc(tx.made_at), updated = utc(tx.updated_at), void_status = status == "voided" and "SUCCEEDED" or json.null,
    voided_at = status == "voided" and utc(tx.updated_at) or json.null, capture_now = true, customer_id = json.null,
    payment_method_id = json.null, failure_code = tx.failure or json.null, basket = tx.basket or json.null, metadata = tx.metadata or json.null }
end

function CHARGE.event(tx, _, at, name)
  return { event = name or "ewallet.capture", business_id = rules.BUSINESS, created = utc(at), data = CHARGE.view(tx, tx.status) }
end

---- QR codes ----

local QR = { prefix = "qr_" }
products.qr = QR

function QR.check(want, at, headers)
  local wrong, new = {}, headers["api-version"] == "2022-07-31"
  reference_ok(want, new and "reference_id" or "external_id", wrong)
  if want.type ~= "DYNAMIC" and want.type ~= "STATIC" then wrong[#wrong + 1] = "type must be DYNAMIC or STATIC" end
  if want.type == "DYNAMIC" and not rules.amount_ok(want.amount, rules.QRS.QRIS) then
    wrong[#wrong + 1] = "amount must be a whole number from 1 to 10000000"
  end
  if new and want.currency ~= "IDR" then wrong[#wrong + 1] = "currency must be IDR" end
  if not new and not rules.url_ok(want.callback_url) then wrong[#wrong + 1] = "callback_url is required" end
  return wrong, { reference = want[new and "reference_id" or "external_id"], amount = want.type == "DYNAMIC" and want.amount or nil, channel = "QRIS",
    new = new, qr_type = want.type, closed = want.type == "DYNAMIC", single = want.type == "DYNAMIC", metadata = want.metadata,
    expires_at = ends(want.expires_at, wrong, at + (want.type == "DYNAMIC" and 2 or 3650) * DAY, at), callback_url = not new and want.callback_url or nil }
end

function QR.view(tx, status)
  local v = { id = tx.id, amount = tx.amount, qr_string = tx.qr_string, type = tx.qr_type, status = status == "pending" and "ACTIVE" or "INACTIVE",
    created = utc(tx.made_at), updated = utc(tx.updated_at), metadata = tx.metadata or json.null }
  if not tx.new then
    v.external_id, v.callback_url = tx.reference, tx.callback_url
    return v
  end
  v.reference_id, v.business_id, v.channel_code, v.currency, v.expires_at = tx.reference, rules.BUSINESS, "ID_DANA", "IDR", utc(tx.expires_at)
  return v
end

function QR.payment(tx, p)
  local code = { id = tx.id, external_id = tx.reference, qr_string = tx.qr_string, type = tx.qr_type, metadata = tx.metadata or json.null }
  return { id = p.id, amount = p.amount, created = utc(p.at), qr_code = code, status = "COMPLETED",
    payment_details = { source = "Bank Simulator", receipt_id = p.id:sub(-12) } }
end

function QR.event(tx, p, at)
  if not tx.new then
    local v = QR.payment(tx, p)
    v.event = "qr.payment"
    return v
  end
  return { event = "qr.payment", api_version = "2022-07-31", business_id = rules.BUSINESS, created = utc(at), data = { id = p.id,
    business_id = rules.BUSINESS, currency = "IDR", amount = p.amount, status = "SUCCEEDED", created = utc(p.at), qr_id = tx.id,
    qr_string = tx.qr_string, reference_id = tx.reference, type = tx.qr_type, channel_code = "ID_DANA", expires_at = utc(tx.expires_at),
    metadata = tx.metadata or json.null, payment_detail = { receipt_id = p.id:sub(-12), source = "Bank Simulator" } } }
end

return products
