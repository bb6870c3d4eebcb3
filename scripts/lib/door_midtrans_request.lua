-- scripts/lib/door_midtrans_request.lua: what merchants of ours ask in Midtrans' words (Core API, Snap, and the
-- create-payment of the architecture document), as requests of ours. Wrong ones are told in Midtrans' words.
local door = require "door"
local ways = require "door_midtrans_ways"
local return_url = require "return_url"
local request = {}

local table_or, text, cut = door.table_or, door.text, door.cut
local AMOUNT_MAX, ITEMS_MAX, DURATION_MAX = 1000000000000, 100, 1000000
local UNITS = { second = 1, minute = 60, hour = 3600, day = 86400 }

---- parts ----

local function order(want, wrong)
  local details = table_or(want.transaction_details)
  local id, amount = details.order_id, details.gross_amount
  if math.type(id) == "integer" then id = tostring(id) end -- clients of languages that number their orders
  if text(id) == nil then
    wrong[#wrong + 1] = "transaction_details.order_id is required"
  elseif #id > 50 then
    wrong[#wrong + 1] = "transaction_details.order_id length must be 50 at most"
  elseif id:find "[^%w%-_~.]" then
    wrong[#wrong + 1] = "transaction_details.order_id may hold letters, digits, - _ ~ . only"
  end
  if math.type(amount) ~= "integer" or amount < 1 or amount > AMOUNT_MAX then
    wrong[#wrong + 1] = "transaction_details.gross_amount is required and must be a positive integer"
  end
  return id, amount
end

local function item_of(given)
  local id = math.type(given.id) == "integer" and tostring(given.id) or text(given.id)
  return { id = id and cut(id, 64), name = cut(text(given.name) or id or "item", 255), price = given.price, quantity = given.quantity,
    category = text(given.category) and cut(given.category, 64) }
end

-- What is bought adds up to what is asked, where it is said at all.
local function items(want, amount, wrong)
  local list = want.item_details
  if list == nil or list == json.null then return nil end
  if type(list) ~= "table" or #list == 0 or #list > ITEMS_MAX then
    wrong[#wrong + 1] = "item_details must be a list of 1 to " .. ITEMS_MAX .. " items"
    return nil
  end
  local all, sum = json.array {}, 0
  for i, one in ipairs(list) do
    local given = table_or(one)
    local price, quantity = given.price, given.quantity
    if math.type(price) ~= "integer" or math.type(quantity) ~= "integer" or math.abs(price) > AMOUNT_MAX or price == math.mininteger
      or quantity < 1 or quantity > 1000000 then
      wrong[#wrong + 1] = "item_details price and quantity are required and must be integers"
      return nil
    end
    sum = sum + price * quantity
    if math.abs(sum) > 100000 * AMOUNT_MAX then break end -- it cannot come down to an amount any more, and must not overflow
    all[i] = item_of(given)
  end
  if sum ~= amount then wrong[#wrong + 1] = "transaction_details.gross_amount is not equal to the sum of item_details" end
  return all
end

local function instant(value)
  if math.type(value) == "integer" or not text(value) then return nil end
  for _, format in ipairs { "%Y-%m-%d %H:%M:%S %z", "rfc3339", "iso", "%Y-%m-%d %H:%M:%S" } do
    local ms = time.parse(value, format, "WIB")
    if ms then return ms end
  end
end

-- Seconds from now until it is over; nil: not said. A start that has been counts as now; units may end in s.
local function expires_in(expiry, field, start, duration, wrong)
  if expiry == nil or expiry == json.null then return nil end
  local said, begins = table_or(expiry), nil
  local n, unit = said[duration], said.unit == nil and "minute" or text(said.unit) or ""
  if said[start] ~= nil and said[start] ~= json.null then
    begins = instant(said[start])
    if not begins then wrong[#wrong + 1] = field .. "." .. start .. " must be like 2016-12-07 11:54:12 +0700" end
  end
  local seconds = #unit <= 10 and UNITS[(unit:lower():gsub("s$", ""))]
  if not seconds or math.type(n) ~= "integer" or n < 1 or n > DURATION_MAX then
    wrong[#wrong + 1] = field .. "." .. duration .. " must be a positive integer, " .. field .. ".unit one of second, minute, hour, day"
    return nil
  end
  local ahead = begins and math.max(0, begins - time.now()) // 1000 or 0
  if ahead + n * seconds > 366 * 86400 then
    wrong[#wrong + 1] = field .. "." .. duration .. " is out of range"
    return nil
  end
  return ahead + n * seconds
end

-- Fields of the shop's own, which come back in every answer and notification.
local function custom_fields(want, wrong)
  local metadata = json.object {}
  for i = 1, 3 do
    local name = "custom_field" .. i
    local value = want[name]
    if value ~= nil and value ~= json.null then
      if type(value) ~= "string" or #value > 255 then
        wrong[#wrong + 1] = name .. " length must be 255 at most"
      else
        metadata[name] = value
      end
    end
  end
  return metadata
end

local function url(value) return text(value) and #value <= 2048 and value:find "^https?://[^%s]+$" and value or nil end

local function common(want, wrong)
  local id, amount = order(want, wrong)
  local ask = { order_id = id, amount = amount, items = items(want, amount, wrong), customer = door.customer(want.customer_details),
    metadata = custom_fields(want, wrong) }
  return ask
end

---- a charge ----

local function bank_of(value) return text(value) and #value <= 50 and value:lower():match "^[a-z0-9_]+$" end

-- payment_type -> method and bank; what such a way wants besides goes to `options`.
local TYPES = {
  bank_transfer = function(want, wrong)
    local bank = bank_of(table_or(want.bank_transfer).bank)
    if not bank then wrong[#wrong + 1] = "bank_transfer.bank is required" end
    return "virtual_account", bank
  end,
  permata = function() return "virtual_account", "permata" end,
  echannel = function(want, wrong)
    local e = table_or(want.echannel)
    if not text(e.bill_info1) or #e.bill_info1 > 10 then wrong[#wrong + 1] = "echannel.bill_info1 is required, 10 characters at most" end
    if not text(e.bill_info2) or #e.bill_info2 > 30 then wrong[#wrong + 1] = "echannel.bill_info2 is required, 30 characters at most" end
    return "virtual_account", "mandiri"
  end,
  cstore = function(want, wrong)
    local store = bank_of(table_or(want.cstore).store)
    if store ~= "alfamart" and store ~= "indomaret" then wrong[#wrong + 1] = "cstore.store must be alfamart or indomaret" end
    return "retail", store
  end,
  qris = function() return "qris" end,
  gopay = function(want) return "ewallet", "gopay", url(table_or(want.gopay).callback_url) end,
  shopeepay = function(want, wrong)
    local back = url(table_or(want.shopeepay).callback_url)
    if not back then wrong[#wrong + 1] = "shopeepay.callback_url is required" end
    return "ewallet", "shopeepay", back
  end,
  dana = function(want) return "ewallet", "dana", url(table_or(want.dana).callback_url) end,
  ovo = function(want, wrong)
    if not text(table_or(want.customer_details).phone) then wrong[#wrong + 1] = "customer_details.phone is required" end
    return "ewallet", "ovo"
  end,
  akulaku = function() return "paylater", "akulaku" end,
  kredivo = function() return "paylater", "kredivo" end,
  cimb_clicks = function() return "bank_transfer", "cimb" end,
  credit_card = function() return "card" end,
}

-- Where money would move otherwise than asked: it is refused rather than left out.
local function cannot(want)
  local card = table_or(want.credit_card)
  if want.payment_type == "credit_card" and (card.type == "authorize" or text(card.recurring) or card.recurring == true) then
    return "credit_card.type authorize and recurring are not offered here"
  end
end

-- The create request for a charge, and the options that are known; or nil, the status_code and what is wrong: one
-- message, or a list.
function request.charge(want, kind)
  kind = kind or want.payment_type
  if not text(kind) then return nil, "400", { "payment_type is required" } end
  local way = TYPES[kind]
  if not way then return nil, "402", "Payment channel is not activated." end
  local wrong = {}
  local ask = common(want, wrong)
  local method, bank, back = way(want, wrong)
  ask.method, ask.bank = method, bank
  ask.expires_in = expires_in(want.custom_expiry, "custom_expiry", "order_time", "expiry_duration", wrong)
    or expires_in(want.expiry, "expiry", "start_time", "duration", wrong)
  back = return_url(back or url(table_or(want.callbacks).finish), ask.order_id)
  ask.return_urls = back and { success = back, failure = back } or nil
  local c = table_or(want.customer_details)
  local have = { phone = text(c.phone), shipping_address = next(table_or(c.shipping_address)) and c.shipping_address or nil }
  if #wrong > 0 then return nil, "400", wrong end
  local no = cannot(want)
  if no then return nil, "402", no end
  return ask, have
end

---- a page ----

-- The create request for a Snap page; or nil and what is wrong.
function request.page(want)
  local wrong = {}
  local ask = common(want, wrong)
  ask.expires_in = expires_in(want.expiry, "expiry", "start_time", "duration", wrong)
  local callbacks = table_or(want.callbacks)
  local finish = return_url(url(callbacks.finish), ask.order_id)
  ask.return_urls = finish and { success = finish, failure = return_url(url(callbacks.error), ask.order_id) or finish } or nil
  if want.enabled_payments ~= nil and want.enabled_payments ~= json.null then
    local names = ways.known(table_or(want.enabled_payments))
    if #names == 0 then wrong[#wrong + 1] = "enabled_payments is invalid" end
    ask.metadata.enabled_payments = table.concat(names, " ")
  end
  if table_or(want.credit_card).type == "authorize" then wrong[#wrong + 1] = "credit_card.type authorize is not offered here" end
  if #wrong > 0 then return nil, wrong end
  return ask
end

return request
