-- scripts/lib/qris.lua: QRIS payloads, merchant presented (EMVCo TLV: two digits of id, two of length
-- in characters, value). Read leniently, because real codes break small rules; made strictly. Pure.
--
--   local p, why = qris.parse(text)      ordered fields; unknown ones are kept as they came
--   qris.get(p, "54")   qris.get(p, "62", "05")
--   local text, why = qris.encode(p)     the text again, with its checksum
--   qris.read(text)                      what a person wants to know of it
--   qris.build { ... }                   a new one: see FIELDS below
--   qris.dynamic(text, { amount =, bill =, reference = })   a static code for one payment
local qris = {}

local MAX = 512
local ACCOUNT_FIRST, ACCOUNT_LAST, CENTRAL = 26, 45, "51"

---- fields ----

local function length(value) return utf8.len(value) or #value end

-- The n characters from byte `at` on, and where they end; bytes where it is no UTF-8.
local function take(text, at, n, wide)
  local past = wide and utf8.offset(text, n + 1, at) or (not wide and at + n or nil)
  if not past or past > #text + 1 then return nil end
  return text:sub(at, past - 1), past
end

local function is_template(id)
  local n = tonumber(id)
  return (n >= ACCOUNT_FIRST and n <= 51) or id == "62" or id == "64"
end

-- A list of { id =, value =, fields = of a template }, or nil and why.
local function fields_of(text, top)
  local list, seen, at, wide = {}, {}, 1, utf8.len(text) ~= nil
  while at <= #text do
    local id, size = text:match("^(%d%d)(%d%d)", at)
    if not id then return nil, "at byte " .. at .. " there is no id and length" end
    if seen[id] then return nil, "id " .. id .. " comes twice" end
    local value, past = take(text, at + 4, tonumber(size), wide)
    if not value then return nil, "id " .. id .. " is longer than the text" end
    seen[id], at = true, past
    -- a template that is none is kept as the text it is
    list[#list + 1] = { id = id, value = value, fields = top and is_template(id) and fields_of(value) or nil }
  end
  return list
end

local function checksum(text) return ("%04X"):format(crypto.crc16(text)) end

-- The fields before the checksum, or nil and why.
function qris.parse(text)
  if type(text) ~= "string" or text == "" then return nil, "a text is expected" end
  if #text > 4 * MAX then return nil, "longer than any payload" end
  local body, sum = text:match "^(.*6304)(%x%x%x%x)$"
  if not body then return nil, "the checksum (6304....) is not at the end" end
  if checksum(body) ~= sum:upper() then return nil, "the checksum is " .. sum .. ", it should be " .. checksum(body) end
  local list, why = fields_of(body:sub(1, -5), true)
  if not list then return nil, why end
  if not list[1] or list[1].id ~= "00" or list[1].value ~= "01" then return nil, "it does not begin with 000201" end
  return list
end

local function find(list, id)
  for _, field in ipairs(list or {}) do
    if field.id == id then return field end
  end
end

function qris.get(list, id, sub)
  local field = find(list, id)
  if not field or not sub then return field and field.value end
  return qris.get(field.fields, sub)
end

---- writing ----

-- The text of a list, or nil and why. A field that came empty goes empty.
local function write(list)
  local out = {}
  for i, field in ipairs(list) do
    local value, why = field.value, nil
    if field.fields then value, why = write(field.fields) end
    if not value then return nil, why end
    local n = length(value)
    if n > 99 then return nil, "id " .. field.id .. " has " .. n .. " characters, 99 at most are allowed" end
    out[i] = ("%s%02d%s"):format(field.id, n, value)
  end
  return table.concat(out)
end

function qris.encode(list)
  local body, why = write(list)
  if not body then return nil, why end
  body = body .. "6304"
  if #body + 4 > MAX then return nil, "the payload is longer than " .. MAX .. " characters" end
  return body .. checksum(body)
end

-- FIELDS of build, in the order of their ids. pattern: all of the value.
local FIELDS = {
  { "mcc", "52", "^%d%d%d%d$", 4, true }, { "currency", "53", "^%d%d%d$", 3, true }, { "amount", "54", "^%d+$", 13 },
  { "country", "58", "^%u%u$", 2, true }, { "name", "59", "^[^|]+$", 25, true }, { "city", "60", "^[^|]+$", 15, true },
  { "postal_code", "61", "^[%w ]+$", 10, true },
}
local ADDITIONAL = { { "bill", "01" }, { "store", "03" }, { "reference", "05" }, { "customer", "06" }, { "terminal", "07" }, { "purpose", "08" } }
local DEFAULTS = { currency = "360", country = "ID" }

local function known(what)
  local names = { static = true, accounts = true, nmid = true, criteria = true, extra = true }
  for _, f in ipairs(FIELDS) do names[f[1]] = true end
  for _, f in ipairs(ADDITIONAL) do names[f[1]] = true end
  for name in pairs(what) do
    if not names[name] then error("qris.build: there is no field " .. tostring(name), 0) end
  end
end

local function text_field(name, value, pattern, most)
  if math.type(value) == "integer" then value = tostring(value) end
  if type(value) ~= "string" or not value:find(pattern) or length(value) > most then
    error("qris.build: " .. name .. " is wrong: " .. tostring(value), 0)
  end
  return value
end

local function account(id, a)
  local list = { { id = "00", value = text_field("accounts.domain", a.domain, "^[%w.%-]+$", 32) } }
  if a.pan then list[#list + 1] = { id = "01", value = text_field("accounts.pan", a.pan, "^%d+$", 19) } end
  if a.merchant_id then list[#list + 1] = { id = "02", value = text_field("accounts.merchant_id", a.merchant_id, "^[%w]+$", 15) } end
  if a.criteria then list[#list + 1] = { id = "03", value = text_field("accounts.criteria", a.criteria, "^%u%u%u$", 3) } end
  return { id = id, fields = list }
end

-- what: static (else dynamic), accounts { {domain, pan, merchant_id, criteria}, ... }, nmid, criteria,
-- mcc, currency (360), amount in whole rupiah, country (ID), name, city, postal_code; bill, store,
-- reference, customer, terminal, purpose. Raises what is wrong.
function qris.build(what)
  known(what)
  local accounts = what.accounts or {}
  if #accounts == 0 and not what.nmid then error("qris.build: accounts or nmid is needed", 0) end
  if what.static and not what.nmid then error("qris.build: a static code needs its nmid", 0) end
  if #accounts > ACCOUNT_LAST - ACCOUNT_FIRST + 1 then error("qris.build: too many accounts", 0) end
  local list = { { id = "00", value = "01" }, { id = "01", value = what.static and "11" or "12" } }
  for i, a in ipairs(accounts) do list[#list + 1] = account(tostring(ACCOUNT_FIRST + i - 1), a) end
  if what.nmid then
    text_field("nmid", what.nmid, "^%w+$", 15)
    list[#list + 1] = account(CENTRAL, { domain = "ID.CO.QRIS.WWW", merchant_id = what.nmid, criteria = what.criteria or "URE" })
  end
  for _, f in ipairs(FIELDS) do
    local value = what[f[1]]
    if value == nil then value = DEFAULTS[f[1]] end
    if value == nil and f[5] then error("qris.build: " .. f[1] .. " is missing", 0) end
    if value ~= nil then list[#list + 1] = { id = f[2], value = text_field(f[1], value, f[3], f[4]) } end
  end
  if what.amount and what.amount < 1 then error("qris.build: amount must be more than 0", 0) end
  local more = {}
  for _, f in ipairs(ADDITIONAL) do
    if what[f[1]] then more[#more + 1] = { id = f[2], value = text_field(f[1], what[f[1]], "^.+$", 25) } end
  end
  if #more > 0 then list[#list + 1] = { id = "62", fields = more } end
  local text, why = qris.encode(list)
  return text or error("qris.build: " .. why, 0)
end

---- a static code made dynamic ----

local function put(list, id, value, sub)
  local field = find(list, id)
  if field then
    field.value, field.fields = value, sub
    return
  end
  local before = #list + 1
  for i = #list, 1, -1 do
    if tonumber(list[i].id) > tonumber(id) then before = i end
  end
  table.insert(list, before, { id = id, value = value, fields = sub })
end

-- Only the payer's app learns the amount by it: the acquirer reports merchant and amount, no order.
function qris.dynamic(text, what)
  local list, why = qris.parse(text)
  if not list then return nil, why end
  if math.type(what.amount) ~= "integer" or what.amount < 1 or what.amount > 9999999999999 then
    return nil, "amount: an integer from 1 on, 13 digits at most"
  end
  for i = #list, 1, -1 do
    local n = tonumber(list[i].id)
    if n >= 54 and n <= 57 then table.remove(list, i) end -- an amount or a tip of before
  end
  put(list, "01", "12")
  put(list, "54", tostring(what.amount))
  local more = find(list, "62")
  local sub = more and more.fields or {}
  for name, id in sorted { bill = "01", reference = "05" } do
    local value = what[name]
    if value ~= nil then
      if type(value) ~= "string" or value == "" or length(value) > 25 then return nil, name .. ": a text of 1 to 25 characters" end
      put(sub, id, value)
    end
  end
  if #sub > 0 then put(list, "62", nil, sub) end
  return qris.encode(list)
end

---- what a person wants to know ----

function qris.read(text)
  local list, why = qris.parse(text)
  if not list then return nil, why end
  local out = { dynamic = qris.get(list, "01") == "12", amount_text = qris.get(list, "54"), name = qris.get(list, "59"),
    city = qris.get(list, "60"), postal_code = qris.get(list, "61"), mcc = qris.get(list, "52"), currency = qris.get(list, "53"),
    country = qris.get(list, "58"), nmid = qris.get(list, CENTRAL, "02"), bill = qris.get(list, "62", "01"),
    reference = qris.get(list, "62", "05"), terminal = qris.get(list, "62", "07"), accounts = {} }
  if out.amount_text then out.amount = money.parse(out.amount_text, "IDR") end -- nil where it is no whole rupiah
  for _, field in ipairs(list) do
    local n = tonumber(field.id)
    if n >= ACCOUNT_FIRST and n <= ACCOUNT_LAST then
      out.accounts[#out.accounts + 1] = { id = field.id, domain = qris.get(field.fields, "00"), pan = qris.get(field.fields, "01"),
        merchant_id = qris.get(field.fields, "02"), criteria = qris.get(field.fields, "03") }
    end
  end
  return out
end

return qris
