-- scripts/lib/openapi.lua: the shapes of the merchant API and what each route takes and gives. The
-- routes are those that serve (core.routes): one that is not described here is in the document all the
-- same, with an answer of any form, and a test says that it is missing.
local openapi = {}

---- words for schemas ----

local function keep(schema, more)
  for name, value in pairs(more or {}) do schema[name] = value end
  return schema
end
local function text(more) return keep({ type = "string" }, more) end
local function int(more) return keep({ type = "integer" }, more) end
local function bool() return { type = "boolean" } end
local function const(value) return { const = value } end
local function one_of(...) return { type = "string", enum = { ... } } end
local function ref(name) return { ["$ref"] = "#/components/schemas/" .. name } end
local function list(of) return { type = "array", items = of } end
local function any() return { type = "object", additionalProperties = true } end
local function time() return text { format = "date-time", description = "RFC 3339 with milliseconds, +07:00" } end
local function maybe(schema)
  if type(schema.type) == "string" and not schema.enum then
    schema.type = { schema.type, "null" }
    return schema
  end
  return { anyOf = { schema, { type = "null" } } }
end

-- Members by name; one whose name ends in "?" may be missing.
local function object(members, more)
  local schema = { type = "object", properties = {}, required = {} }
  for name, member in sorted(members) do
    local plain = name:gsub("%?$", "")
    schema.properties[plain] = member
    if plain == name then schema.required[#schema.required + 1] = name end
  end
  if #schema.required == 0 then schema.required = nil end
  return keep(schema, more)
end
-- What we are sent: nothing but what is named.
local function request(members) return object(members, { additionalProperties = false }) end
local function page(of) return object { object = const "list", data = list(ref(of)), has_more = bool() } end

---- shapes ----

local METHODS = { "virtual_account", "bank_transfer", "qris", "ewallet", "paylater", "card", "retail" }
local function way() return one_of(table.unpack(METHODS)) end
local function amount(more) return int(keep({ minimum = 1, maximum = 1000000000000, description = "whole rupiah" }, more)) end
local function sum() return int { description = "whole rupiah" } end
local function url() return text { format = "uri", minLength = 1, maxLength = 2048 } end

local function instruction(kind, members)
  members.type = const(kind)
  return object(members)
end

local SCHEMAS = {
  Payment = object {
    id = text { pattern = "^pay_" }, object = const "payment", livemode = bool(), order_id = text(),
    status = one_of("pending", "processing", "success", "failed", "expired", "cancelled"),
    amount = amount(), amount_due = amount { description = "the amount, the payer's fee and a unique code; frozen" },
    amount_paid = sum(), amount_refunded = sum(), amount_reversed = sum(), currency = const "IDR",
    method = maybe(way()), channel = maybe(text()), bank = maybe(text()), fee = maybe(ref "Fee"),
    instructions = maybe(ref "Instructions"), checkout_url = maybe(text()), failure = maybe(ref "Failure"),
    attempts = list(ref "Attempt"), customer = maybe(ref "Customer"), items = maybe(list(ref "Item")),
    description = maybe(text()), metadata = maybe(any()), scripts = object { channel = maybe(text()), fee = maybe(text()) },
    expires_at = maybe(time()), created_at = time(), paid_at = maybe(time()),
  },
  Fee = object { total = sum(), bearer = one_of("merchant", "customer"), lines = list(object { name = text(), amount = sum() }) },
  Failure = object { code = text(), message = maybe(text()), provider_code = maybe(text()) },
  Attempt = object {
    id = text { pattern = "^att_" }, channel = text(), reference = text(),
    status = one_of("sending", "pending", "processing", "success", "failed", "expired", "cancelled", "superseded", "unknown"),
  },
  Instructions = { oneOf = {
    instruction("va_number", { bank = text(), va_number = text() }),
    instruction("bill", { biller_code = text(), bill_key = text() }),
    instruction("retail", { outlet = text(), payment_code = text() }),
    instruction("qr", { qr_string = maybe(text()), ["qr_image_url?"] = maybe(text()) }),
    instruction("redirect", { redirect_url = text(), ["deeplink_url?"] = maybe(text()) }),
    instruction("form_post", { url = text(), fields = any() }),
    instruction("transfer", { bank = text(), account_number = text(), account_holder = text(), unique_code = int(), amount_to_transfer = sum() }),
    instruction("push", { message = text() }),
  } },
  Customer = request {
    ["name?"] = text { minLength = 1, maxLength = 255 }, ["email?"] = text { minLength = 3, maxLength = 254 },
    ["phone?"] = text { minLength = 5, maxLength = 24 },
  },
  Item = request {
    ["id?"] = text { minLength = 1, maxLength = 64 }, name = text { minLength = 1, maxLength = 255 }, price = int(),
    quantity = int { minimum = 1, maximum = 1000000 }, ["category?"] = text { minLength = 1, maxLength = 64 }, ["url?"] = url(),
  },
  PaymentRequest = request {
    order_id = text { minLength = 1, maxLength = 64, pattern = "^[!-~]+$", description = "yours; printable, without spaces, quotes and \\" },
    amount = amount { description = "whole rupiah, written as an integer" }, ["currency?"] = const "IDR", ["method?"] = way(),
    ["bank?"] = text { pattern = "^[a-z0-9_]{1,32}$" }, ["channel?"] = text { pattern = "^[a-z0-9_]{1,64}$" },
    ["customer?"] = ref "Customer", ["items?"] = { type = "array", items = ref "Item", maxItems = 100 },
    ["options?"] = keep(any(), { maxProperties = 50, description = "what the channel needs besides; GET /v1/channels lists it" }),
    ["expires_in?"] = int { minimum = 1, maximum = 31622400, description = "seconds" },
    ["return_urls?"] = request { ["success?"] = url(), ["failure?"] = url() },
    ["description?"] = text { minLength = 1, maxLength = 500 },
    ["metadata?"] = { type = "object", maxProperties = 50, additionalProperties = { type = { "string", "number", "boolean", "null" } } },
  },
  Refund = object {
    id = text { pattern = "^re_" }, object = const "refund", payment = text { pattern = "^pay_" }, amount = sum(),
    status = one_of("pending", "processing", "success", "failed"), reason = maybe(text()), failure = maybe(ref "Failure"), created_at = time(),
  },
  RefundRequest = request {
    ["amount?"] = amount { description = "whole rupiah; all that is left where it is missing" }, ["reason?"] = text { minLength = 1, maxLength = 255 },
    ["destination?"] = keep(request {
      bank = text { minLength = 2, maxLength = 32 }, account_number = text { minLength = 5, maxLength = 34 },
      account_holder = text { minLength = 1, maxLength = 100 },
    }, { description = "needed where the way of paying cannot be paid back through" }),
  },
  CaptureRequest = request { ["amount?"] = amount() },
  Event = object {
    id = text { pattern = "^evt_" }, object = const "event", sequence = int { minimum = 1, description = "without gaps per merchant" },
    type = text { pattern = "^(payment|refund|webhook_endpoint)\\." }, created_at = time(), data = object { object = any() },
  },
  Channel = object {
    name = text(), title = text(), method = way(), provider = text(), bank = maybe(text()),
    limits = object { min = int(), ["max?"] = int() }, expires = object { ["default?"] = int(), ["max?"] = int() },
    options = { type = "object", additionalProperties = object { type = text(), required = bool(), ["description?"] = text() } },
    capabilities = list(one_of("cancel", "capture", "open_account", "refund")), available = bool(),
  },
  QuoteRequest = request {
    amount = amount(), ["currency?"] = const "IDR", ["method?"] = way(), ["bank?"] = text(), ["channel?"] = text(),
  },
  Quote = object {
    object = const "quote", amount = amount(),
    options = list(object { method = way(), channel = text(), fee = ref "Fee", amount_due = amount() }),
  },
  Balance = object { object = const "balance", currency = const "IDR", available = sum(), pending = sum(), held = sum() },
  Mutation = object {
    id = text(), object = const "mutation", type = text(), amount = int { description = "signed" }, balance_before = sum(), balance_after = sum(),
    reference = maybe(text()), created_at = time(),
  },
  VirtualAccount = object {
    id = text { pattern = "^va_" }, object = const "virtual_account", customer = maybe(ref "Customer"), bank = text(), channel = text(),
    va_number = text(), description = maybe(text()), metadata = maybe(any()), status = one_of("active", "closed"), created_at = time(),
  },
  VirtualAccountRequest = request {
    ["bank?"] = text { pattern = "^[a-z0-9_]{1,32}$" }, ["channel?"] = text { pattern = "^[a-z0-9_]{1,64}$" }, ["customer?"] = ref "Customer",
    ["description?"] = text { minLength = 1, maxLength = 500 },
    ["metadata?"] = { type = "object", maxProperties = 50, additionalProperties = { type = { "string", "number", "boolean", "null" } } },
  },
  WebhookEndpoint = object {
    id = text { pattern = "^we_" }, object = const "webhook_endpoint", url = text(), ["secret?"] = text { description = "shown once" },
    enabled_types = list(text()), status = one_of("enabled", "disabled"), created_at = time(),
    format = text { description = "standard; midtrans: notifications in Midtrans' words, signed with the API key that charged" },
  },
  WebhookRequest = request { url = url(), ["enabled_types?"] = list(text()), ["format?"] = one_of("standard", "midtrans") },
  WebhookChange = request { ["url?"] = url(), ["enabled_types?"] = list(text()), ["disabled?"] = bool() },
  Operation = any(),
  OperationRequest = request { channel = text(), ["reference?"] = text { maxLength = 64 }, input = any() },
  Problem = object({
    type = text(), title = text(), status = int(), code = text(), detail = text(), ["param?"] = text { description = "the field" },
    request_id = text(), ["payment_id?"] = text(),
  }, { description = "RFC 9457" }),
}

---- routes ----

local function limit() return { name = "limit", schema = int { minimum = 1, maximum = 100, default = 20 } } end
local function after() return { name = "starting_after", schema = text(), description = "the id that the page before ended with" } end
local AFTER = { name = "after", schema = int { minimum = 0 }, description = "events behind this sequence" }
local KEY = { name = "Idempotency-Key", ["in"] = "header", schema = text { maxLength = 255 } }
local function needed(p) return keep({ required = true }, p) end

-- takes: the request's shape; gives: status and shape; query: parameters.
local ROUTES = {
  ["POST /v1/payments"] = { takes = "PaymentRequest", query = { KEY }, gives = { [201] = "Payment", [200] = "Payment" },
    refuses = { 400, 409, 422, 503 } },
  ["GET /v1/payments"] = { gives = { [200] = page "Payment" }, refuses = { 400 }, query = { limit(), after(),
    { name = "status", schema = SCHEMAS.Payment.properties.status }, { name = "order_id", schema = text() },
    { name = "created_after", schema = time() }, { name = "created_before", schema = time() } } },
  ["GET /v1/payments/:id"] = { gives = { [200] = "Payment" }, refuses = { 404 } },
  ["POST /v1/payments/:id/cancel"] = { gives = { [200] = "Payment" }, refuses = { 404, 409 } },
  ["POST /v1/payments/:id/sync"] = { gives = { [200] = "Payment" }, refuses = { 404 } },
  ["POST /v1/payments/:id/capture"] = { takes = "CaptureRequest", optional = true, query = { needed(KEY) }, gives = { [200] = "Payment" },
    refuses = { 400, 404, 409, 422 } },
  ["POST /v1/payments/:id/refunds"] = { takes = "RefundRequest", optional = true, query = { needed(KEY) }, gives = { [201] = "Refund" },
    refuses = { 400, 404, 409, 422 } },
  ["GET /v1/payments/:id/refunds"] = { gives = { [200] = page "Refund" }, refuses = { 400, 404 }, query = { limit(), after() } },
  ["GET /v1/refunds/:id"] = { gives = { [200] = "Refund" }, refuses = { 404 } },
  ["GET /v1/payments/:id/events"] = { gives = { [200] = page "Event" }, refuses = { 400, 404 }, query = { limit(), AFTER } },
  ["GET /v1/events"] = { gives = { [200] = page "Event" }, refuses = { 400, 410 }, query = { limit(), AFTER } },
  ["POST /v1/events/:id/redeliver"] = { gives = { [200] = "Event" }, refuses = { 404, 409 } },
  ["GET /v1/channels"] = { gives = { [200] = page "Channel" }, refuses = { 400 },
    query = { { name = "limit", schema = int { minimum = 1, maximum = 100 }, description = "how many; left out: all" }, after() } },
  ["POST /v1/quotes"] = { takes = "QuoteRequest", gives = { [200] = "Quote" }, refuses = { 400 } },
  ["GET /v1/balance"] = { gives = { [200] = "Balance" } },
  ["GET /v1/balance/mutations"] = { gives = { [200] = page "Mutation" }, refuses = { 400 }, query = { limit(), after() } },
  ["POST /v1/virtual_accounts"] = { takes = "VirtualAccountRequest", gives = { [201] = "VirtualAccount" }, refuses = { 400, 409, 422, 503 }, query = { KEY } },
  ["GET /v1/virtual_accounts"] = { gives = { [200] = page "VirtualAccount" }, refuses = { 400 }, query = { limit(), after() } },
  ["GET /v1/virtual_accounts/:id"] = { gives = { [200] = "VirtualAccount" }, refuses = { 404 } },
  ["POST /v1/virtual_accounts/:id/close"] = { gives = { [200] = "VirtualAccount" }, refuses = { 400, 404 } },
  ["POST /v1/webhook_endpoints"] = { takes = "WebhookRequest", gives = { [201] = "WebhookEndpoint" }, refuses = { 400 } },
  ["GET /v1/webhook_endpoints"] = { gives = { [200] = page "WebhookEndpoint" }, refuses = { 400 }, query = { limit(), after() } },
  ["GET /v1/webhook_endpoints/:id"] = { gives = { [200] = "WebhookEndpoint" }, refuses = { 404 } },
  ["POST /v1/webhook_endpoints/:id"] = { takes = "WebhookChange", gives = { [200] = "WebhookEndpoint" }, refuses = { 400, 404 } },
  ["PATCH /v1/webhook_endpoints/:id"] = { takes = "WebhookChange", gives = { [200] = "WebhookEndpoint" }, refuses = { 400, 404 } },
  ["DELETE /v1/webhook_endpoints/:id"] = { refuses = { 404 },
    gives = { [200] = object { id = text(), object = const "webhook_endpoint", deleted = const(true) } } },
  ["POST /v1/webhook_endpoints/:id/rotate_secret"] = { gives = { [200] = "WebhookEndpoint" }, refuses = { 404 } },
  ["POST /v1/operations"] = { takes = "OperationRequest", gives = { [201] = "Operation" }, refuses = { 400, 409, 503 } },
  ["GET /v1/operations/:id"] = { gives = { [200] = "Operation" }, refuses = { 404 } },
  ["GET /v1/ping"] = { gives = { [200] = object { pong = const(true), request_id = text() } } },
}

---- the document ----

local MEANS = { [200] = "as it stands", [201] = "made", [400] = "the request is wrong; param names the field", [401] = "no valid API key",
  [403] = "not allowed", [404] = "there is none", [409] = "not possible as it stands", [410] = "not kept any more",
  [422] = "the Idempotency-Key came with another body", [429] = "too many requests; see Retry-After", [503] = "try again later" }

local function answers(route, known)
  local all = json.object {}
  local function refuse(status)
    all[tostring(status)] = { description = MEANS[status], content = { ["application/problem+json"] = { schema = ref "Problem" } } }
  end
  for status, shape in sorted(known.gives or { [200] = {} }) do
    local schema = type(shape) == "string" and ref(shape) or shape
    all[tostring(status)] = { description = MEANS[status], content = { ["application/json"] = { schema = next(schema) and schema or json.object {} } } }
  end
  for _, status in ipairs(known.refuses or {}) do refuse(status) end
  if route.auth == "merchant" then
    for _, status in ipairs { 401, 403, 429 } do refuse(status) end
  end
  return all
end

local function operation(route)
  local known = ROUTES[route.method .. " " .. route.path] or {}
  local parameters = json.array {}
  for name in route.path:gmatch ":(%w+)" do
    parameters[#parameters + 1] = { name = name, ["in"] = "path", required = true, schema = text() }
  end
  for _, p in ipairs(known.query or {}) do parameters[#parameters + 1] = keep({ ["in"] = "query" }, p) end
  local id = (route.method:lower() .. route.path:gsub("^/v1", "")):gsub("[^%w]+", "_"):gsub("_$", "")
  return {
    operationId = id, summary = route.about ~= "" and route.about or nil, tags = { (route.path:match "^/v1/([%w_]+)") }, parameters = parameters,
    requestBody = known.takes and { required = not known.optional, content = { ["application/json"] = { schema = ref(known.takes) } } } or nil,
    responses = answers(route, known),
    security = route.auth == "merchant" and json.array { { api_key = json.array {} } } or json.array {},
    ["x-undescribed"] = not ROUTES[route.method .. " " .. route.path] or nil,
  }
end

-- routes: as core.routes.list() gives them. What is not below /v1 is no part of the merchant API.
function openapi.document(routes)
  local paths = json.object {}
  for _, route in ipairs(routes) do
    if route.path:find "^/v1/" then
      local path = route.path:gsub(":(%w+)", "{%1}")
      paths[path] = paths[path] or {}
      paths[path][route.method:lower()] = operation(route)
    end
  end
  return {
    openapi = "3.1.0",
    info = { title = "Luwak merchant API", version = "1", description = "Payments over many providers. Amounts are whole rupiah as JSON integers; "
      .. "times are RFC 3339, +07:00; lists come newest first, events ascending; errors are RFC 9457 problems (/docs/errors)." },
    servers = { { url = "/" } }, paths = paths,
    components = {
      schemas = SCHEMAS,
      securitySchemes = { api_key = { type = "http", scheme = "basic", description = "the API key as user name, without a password" } },
    },
  }
end

---- the same for a person ----

local HTML = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;", ["'"] = "&#39;" }
local function escape(value) return (tostring(value):gsub("[&<>\"']", HTML)) end

-- A schema in few words; shapes with a name are links.
local function words(schema)
  local name = schema["$ref"] and schema["$ref"]:match "[^/]+$"
  if name then return ('<a href="#%s">%s</a>'):format(name, name) end
  if schema.const ~= nil then return "<code>" .. escape(json.encode(schema.const)) .. "</code>" end
  if schema.enum then return "<code>" .. escape(table.concat(schema.enum, " | ")) .. "</code>" end
  for _, key in ipairs { "anyOf", "oneOf" } do
    if schema[key] then
      local all = {}
      for i, one in ipairs(schema[key]) do all[i] = words(one) end
      return table.concat(all, "<br>or ")
    end
  end
  local kind = type(schema.type) == "table" and table.concat(schema.type, " or ") or schema.type or "anything"
  if kind == "array" then return "list of " .. words(schema.items) end
  if schema.properties then
    local all = {}
    for member, of in sorted(schema.properties) do all[#all + 1] = escape(member) .. ": " .. words(of) end
    return "{ " .. table.concat(all, ", ") .. " }"
  end
  local range = {}
  for _, key in ipairs { "minimum", "maximum", "minLength", "maxLength", "maxItems", "pattern" } do
    if schema[key] then range[#range + 1] = key .. " " .. schema[key] end
  end
  return escape(kind) .. (#range > 0 and " <small>" .. escape(table.concat(range, ", ")) .. "</small>" or "")
end

local function members(schema)
  local required, rows = {}, {}
  for _, name in ipairs(schema.required or {}) do required[name] = true end
  for name, member in sorted(schema.properties) do
    rows[#rows + 1] = ("<tr><td><code>%s</code>%s<td>%s%s"):format(escape(name), required[name] and "" or " <small>optional</small>",
      words(member), member.description and "<br><small>" .. escape(member.description) .. "</small>" or "")
  end
  return "<table>" .. table.concat(rows) .. "</table>"
end

local function section(method, path, op)
  local out = { ('<h3 id="%s"><code>%s %s</code></h3><p>%s</p>'):format(escape(op.operationId), method:upper(), escape(path), escape(op.summary or "")) }
  local rows = {}
  for _, p in ipairs(op.parameters) do
    if p["in"] ~= "path" then
      rows[#rows + 1] = ("<tr><td><code>%s</code> <small>%s%s</small><td>%s %s"):format(escape(p.name), p["in"], p.required and ", required" or "",
        words(p.schema), escape(p.description or ""))
    end
  end
  if #rows > 0 then out[#out + 1] = "<table>" .. table.concat(rows) .. "</table>" end
  if op.requestBody then out[#out + 1] = "<p>takes " .. words(op.requestBody.content["application/json"].schema) .. "</p>" end
  local all = {}
  for status, answer in sorted(op.responses) do
    local content = answer.content["application/json"]
    all[#all + 1] = content and ("<b>%s</b> %s"):format(status, words(content.schema)) or ("<b>%s</b> %s"):format(status, escape(answer.description))
  end
  out[#out + 1] = "<p>answers " .. table.concat(all, "; ") .. "</p>"
  return table.concat(out)
end

local PAGE = [[<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>%s</title><style>body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:3rem auto;padding:0 1rem;color:#222;background:#fff}
code{background:#f3f3f3;padding:.1em .3em}table{border-collapse:collapse}td{text-align:left;vertical-align:top;padding:.3em 1em .3em 0;border-bottom:1px solid #ddd}
small{color:#666}@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}code{background:#2a2a2a}td{border-color:#333}a{color:#8bf}small{color:#999}}</style>
<h1>%s</h1><p>%s</p><p>HTTP Basic: the API key is the user name. <a href="/openapi.json">openapi.json</a>, <a href="/docs/errors">error codes</a>,
<a href="/docs/scripts">what scripts can call</a>.</p><ul>%s</ul>%s<h2>Shapes</h2>%s]]

function openapi.page(document)
  local index, sections, shapes = {}, {}, {}
  for path, methods in sorted(document.paths) do
    for method, op in sorted(methods) do
      index[#index + 1] = ('<li><a href="#%s"><code>%s %s</code></a> %s'):format(escape(op.operationId), method:upper(), escape(path), escape(op.summary or ""))
      sections[#sections + 1] = section(method, path, op)
    end
  end
  for name, schema in sorted(document.components.schemas) do
    shapes[#shapes + 1] = ('<h3 id="%s">%s</h3>%s'):format(name, name, schema.properties and members(schema) or "<p>" .. words(schema) .. "</p>")
  end
  local title = escape(document.info.title)
  return PAGE:format(title, title, escape(document.info.description), table.concat(index), table.concat(sections), table.concat(shapes))
end

return openapi
