-- scripts/api/payment_gateway.lua: three doors of the architecture document, for shops that speak its shapes:
-- a QR code, a wallet, a card page. What a door makes is a payment like one of POST /v1/payments, by the same
-- way; only the words differ. The document has no shape for an error: `status` says "error" as the door writes
-- its words, and code, message and param are those of /v1, with the names that the request has here.
local door = require "door"
local return_url = require "return_url"

local CUSTOMER = { "name", "email", "phone" }

-- Of an object the members we know: others are ignored here. What is no object is passed on as it is, and
-- refused by name; an empty list stands for an empty object, as PHP writes it.
local function known(value, names)
  if type(value) ~= "table" or #value > 0 then return value end
  local some = json.object {}
  for _, name in ipairs(names) do some[name] = value[name] end
  return some
end

local function missing(value) return value == nil or value == json.null end

-- The document's times have no milliseconds.
local function second(text) return type(text) == "string" and text:gsub("%.%d+", "", 1) or json.null end

local function back(body, success, failure)
  return json.object { success = return_url(success, body.order_id), failure = return_url(failure, body.order_id) }
end

---- the shapes: how one writes its words, what it asks of /v1, what its fields are called, what it answers ----

local qris = { words = string.lower, names = {} }

function qris.ask(body)
  for _, name in ipairs { "merchant_id", "merchant_name" } do
    local value = body[name]
    if not missing(value) and (type(value) ~= "string" or value == "" or #value > 255) then
      return nil, name, name .. " is a text of 1 to 255 bytes"
    end
  end
  return { method = "qris" }
end

-- `status` is the code's, not the payment's: it is there, or the word for why not.
function qris.answer(p, shown)
  local there = shown.type == "qr"
  return {
    status = there and "success" or p.status, transaction_id = p.id, expires_at = second(p.expires_at),
    qris_string = there and shown.qr_string or json.null,
    qr_code_image = there and (p.checkout_url ~= json.null and p.checkout_url .. "/qr.png" or shown.qr_image_url) or json.null,
  }
end

local wallet = { words = string.upper, names = { bank = "payment_method", return_urls = "redirect_urls",
  ["return_urls.success"] = "redirect_urls.success", ["return_urls.failure"] = "redirect_urls.failure", ["options.phone"] = "customer.phone",
  ["options.cashtag"] = "cashtag" } }

function wallet.ask(body)
  local bank, urls = body.payment_method, body.redirect_urls
  if type(bank) ~= "string" or bank == "" then return nil, "payment_method", "payment_method is the name of a wallet, such as gopay" end
  bank = bank:lower()
  if type(urls) == "table" and #urls == 0 then urls = back(body, urls.success, urls.failure) end
  -- what some wallets must be told of their payer: the document has his phone with the customer
  local payer = { phone = type(body.customer) == "table" and body.customer.phone or nil, cashtag = body.cashtag }
  return { method = "ewallet", bank = bank, return_urls = urls }, payer
end

-- A wallet that rings the payer's phone has no page of its own: ours tells him, and leads back to the shop.
function wallet.answer(p, shown)
  local open = p.status == "pending" or p.status == "processing"
  return {
    id = p.id, status = p.status:upper(), created_at = second(p.created_at), expires_at = second(p.expires_at), amount = p.amount,
    currency = p.currency, order_id = p.order_id, payment_method = p.bank,
    actions = { redirect_url = open and (shown.redirect_url or p.checkout_url) or json.null, deeplink_url = open and shown.deeplink_url or json.null },
  }
end

local card = { words = string.upper, names = { ["return_urls.success"] = "payment_page.return_url", ["return_urls.failure"] = "payment_page.return_url" } }

function card.ask(body)
  local page = body.payment_page
  if missing(page) then return { method = "card" } end
  if type(page) ~= "table" or #page > 0 then return nil, "payment_page", "payment_page is an object" end
  if not missing(page.display_type) and page.display_type ~= "redirect" then
    return nil, "payment_page.display_type", "payment_page.display_type is redirect: the page stands alone"
  end
  return { method = "card", return_urls = back(body, page.return_url, page.return_url) }
end

-- The page is the checkout: the payer goes on from it to where he types his card, and comes back to it.
function card.answer(p, shown)
  return { token = p.id:sub(5), status = p.status == "pending" and "ACTIVE" or p.status:upper(), expires_at = second(p.expires_at),
    amount = p.amount, currency = p.currency, payment_page_url = p.checkout_url ~= json.null and p.checkout_url or shown.redirect_url or json.null }
end

---- one request ----

local function refused(shape, req, status, why)
  local param, message = why.param, why.detail
  if param and shape.names[param] then
    if message:sub(1, #param) == param then message = shape.names[param] .. message:sub(#param + 1) end
    param = shape.names[param]
  end
  return reply(status, { status = shape.words "error", code = why.code, message = message, param = param, transaction_id = why.payment_id,
    request_id = req.id }, { ["Retry-After"] = status == 503 and "1" or nil })
end

local function made(shape)
  return function(req)
    local body, why = door.body(req)
    if not body then return refused(shape, req, 400, { code = "INVALID_REQUEST", detail = why }) end
    local ask, more, detail = shape.ask(body) -- more: options; or nil, a field, what is wrong with it
    if not ask then return refused(shape, req, 400, { code = "INVALID_REQUEST", param = more, detail = detail }) end
    ask.order_id, ask.amount, ask.currency, ask.description = body.order_id, body.amount, body.currency, body.description
    ask.customer = known(body.customer, CUSTOMER)
    local status, p, replayed = door.create(req, ask, more)
    if status >= 300 then return refused(shape, req, status, p) end
    local answer = shape.answer(p, door.table_or(p.instructions))
    if p.status == "failed" then
      local failure = door.table_or(p.failure)
      answer.code, answer.message = failure.code, failure.message
    end
    answer.merchant_id = body.merchant_id -- said back; whose payment it is says the key
    return reply(status, answer, { ["Idempotent-Replayed"] = replayed and "true" or nil })
  end
end

local routes = {}
for path, shape in pairs { ["qris/generate"] = qris, ["ewallet/create"] = wallet, ["card/create-token"] = card } do
  local own = door.routes({ ["POST /payment-gateway/" .. path] = { about = "a payment, in the architecture document's words", run = made(shape) } },
    function(req, why) return refused(shape, req, why.status, why) end)
  for key, route in pairs(own) do routes[key] = route end
end

return { api = 1, title = "Doors of the architecture document", routes = routes }
