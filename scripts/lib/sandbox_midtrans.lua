-- scripts/lib/sandbox_midtrans.lua: what Midtrans takes as a charge and what it says to one that is
-- wrong. For its simulator only; the channels share nothing with it.
local rules = {}

local DAY = 86400000
rules.BANKS = { -- prefix, digits behind it
  bca = { "81278", 11 }, bni = { "98812345", 8 }, bri = { "12345", 13 }, permata = { "856200", 10 }, cimb = { "81093", 13 },
  danamon = { "8922", 12 },
}
rules.STORES = { alfamart = "88", indomaret = "25" } -- what their codes begin with
rules.TYPES = { -- how long it can be paid, and refunded; the message of a charge
  bank_transfer = { lasts = DAY, longest = 180 * DAY, says = "Success, Bank Transfer transaction is created" },
  echannel = { lasts = DAY, longest = 180 * DAY, says = "OK, Mandiri Bill transaction is successful" },
  qris = { lasts = 15 * 60000, longest = 5 * DAY, refund = 45 * DAY, says = "QRIS transaction is created" },
  gopay = { lasts = 15 * 60000, longest = 7 * DAY, refund = 45 * DAY, says = "GO-PAY transaction is created" },
  shopeepay = { lasts = 15 * 60000, longest = 5 * DAY, refund = 365 * DAY, whole = true, says = "ShopeePay transaction is created" },
  cstore = { lasts = DAY, longest = 180 * DAY, says = "Success, cstore transaction is successful" },
  akulaku = { lasts = DAY, longest = DAY, page = true, says = "Success, Akulaku transaction is created" },
  kredivo = { lasts = DAY, longest = 180 * DAY, page = true, refund = 14 * DAY, says = "Kredivo transaction is created" },
  cimb_clicks = { lasts = DAY // 12, longest = DAY // 12, page = true, says = "Success, CIMB Clicks transaction is successful" },
  credit_card = { lasts = 10 * 60000, longest = 8 * DAY, refund = 180 * DAY, says = "Success, Credit Card transaction is successful" },
}
local UNITS = { second = 1000, minute = 60000, hour = 3600000, day = DAY }

local function table_or(value) return type(value) == "table" and value or {} end

local function check_items(want, amount, wrong)
  if want.item_details == nil then return end
  local sum = 0
  for _, item in ipairs(table_or(want.item_details)) do
    local price, quantity = table_or(item).price, table_or(item).quantity
    if math.type(price) ~= "integer" or math.type(quantity) ~= "integer" then
      wrong[#wrong + 1] = "item_details price and quantity are required and must be integers"
      return
    end
    sum = money.add(sum, money.mul(price, quantity))
  end
  if sum ~= amount then wrong[#wrong + 1] = "transaction_details.gross_amount is not equal to the sum of item_details" end
end

-- What a way to pay wants besides.
local CHECKS = {
  cstore = function(want, wrong)
    local c = table_or(want.cstore)
    if not rules.STORES[c.store] then wrong[#wrong + 1] = "cstore.store must be alfamart or indomaret" end
    if c.message ~= nil and (type(c.message) ~= "string" or #c.message > 20) then wrong[#wrong + 1] = "cstore.message length must be 20 at most" end
  end,
  shopeepay = function(want, wrong)
    if type(table_or(want.shopeepay).callback_url) ~= "string" then wrong[#wrong + 1] = "shopeepay.callback_url is required" end
  end,
  kredivo = function(want, wrong)
    local c = table_or(want.customer_details)
    if type(want.item_details) ~= "table" then wrong[#wrong + 1] = "item_details is required" end
    if type(c.email) ~= "string" or type(c.phone) ~= "string" then wrong[#wrong + 1] = "customer_details.email and phone are required" end
    if type(table_or(c.shipping_address).address) ~= "string" then wrong[#wrong + 1] = "customer_details.shipping_address is required" end
  end,
  cimb_clicks = function(want, wrong)
    if type(table_or(want.cimb_clicks).description) ~= "string" then wrong[#wrong + 1] = "cimb_clicks.description is required" end
  end,
}

local function check_expiry(want, kind, wrong)
  local expiry = want.custom_expiry
  if expiry == nil then return kind.lasts end
  local unit = UNITS[table_or(expiry).unit or "minute"]
  local n = table_or(expiry).expiry_duration
  if not unit or math.type(n) ~= "integer" or n < 1 or n > 1000000 then
    wrong[#wrong + 1] = "custom_expiry.expiry_duration must be a positive integer, custom_expiry.unit one of second, minute, hour, day"
    return kind.lasts
  end
  if n * unit > kind.longest or n * unit < 20000 then wrong[#wrong + 1] = "custom_expiry.expiry_duration is out of range" end
  local from = expiry.order_time and time.parse(expiry.order_time, "%Y-%m-%d %H:%M:%S %z")
  if expiry.order_time and not from then wrong[#wrong + 1] = "custom_expiry.order_time must be like 2016-12-07 11:54:12 +0700" end
  return n * unit, from
end

-- What is wrong, in Midtrans' words; how long it can be paid, in ms, and from when (nil: now).
function rules.check(want)
  local wrong, details = {}, table_or(want.transaction_details)
  local order, amount = details.order_id, details.gross_amount
  if type(order) ~= "string" or order == "" then
    wrong[1] = "transaction_details.order_id is required"
  elseif #order > 50 then
    wrong[1] = "transaction_details.order_id length must be 50 at most"
  elseif order:find "[^%w%-_~.]" then
    wrong[1] = "transaction_details.order_id may hold letters, digits, - _ ~ . only"
  end
  if math.type(amount) ~= "integer" or amount < 1 or amount > 999999999999 then
    wrong[#wrong + 1] = "transaction_details.gross_amount is required and must be a positive integer"
  else
    check_items(want, amount, wrong)
  end
  local bank = table_or(want.bank_transfer).bank
  if want.payment_type == "bank_transfer" and not rules.BANKS[bank] then wrong[#wrong + 1] = "bank_transfer.bank is required and must be a supported bank" end
  local number = table_or(want.bank_transfer).va_number
  if number ~= nil and (type(number) ~= "string" or not number:find "^%d+$") then wrong[#wrong + 1] = "bank_transfer.va_number must be digits" end
  if want.payment_type == "echannel" then
    local e = table_or(want.echannel)
    if type(e.bill_info1) ~= "string" or #e.bill_info1 > 10 then wrong[#wrong + 1] = "echannel.bill_info1 is required, 10 characters at most" end
    if type(e.bill_info2) ~= "string" or #e.bill_info2 > 30 then wrong[#wrong + 1] = "echannel.bill_info2 is required, 30 characters at most" end
    local key = e.bill_key ~= nil and tostring(e.bill_key)
    if key and (not key:find "^%d+$" or #key < 6 or #key > 12) then wrong[#wrong + 1] = "echannel.bill_key must be 6 to 12 digits" end
  end
  for i = 1, 3 do
    local field = want["custom_field" .. i]
    if field ~= nil and (type(field) ~= "string" or #field > 255) then wrong[#wrong + 1] = "custom_field" .. i .. " length must be 255 at most" end
  end
  if CHECKS[want.payment_type] then CHECKS[want.payment_type](want, wrong) end
  return wrong, check_expiry(want, rules.TYPES[want.payment_type], wrong)
end
rules.table_or = table_or

return rules
