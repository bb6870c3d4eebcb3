-- @NAME@: pays by @METHOD@ through @PROVIDER@. Its other side is scripts/sandbox/@PROVIDER@.lua.
-- It works as it is; what is the provider's own goes in its place: hosts, paths, fields, signature, words.
local function headers(ctx, method, path, body)
  return { ["Content-Type"] = "application/json", ["X-Signature"] = crypto.hmac("sha256", ctx.config.key, { method, "\n", path, "\n", body }) }
end

-- What it says of a payment of ours; nil, why, HTTP status where that cannot be read.
local function ask(ctx, reference)
  local path = "/v1/payments/" .. form.escape(reference)
  local answer, why = ctx.http.get { url = "https://" .. ctx.host() .. path, headers = headers(ctx, "GET", path, "") }
  if not answer then return nil, why end
  local said = answer:json()
  if answer.status == 200 and type(said) == "table" and said.reference == reference then return said end
  return nil, "HTTP " .. answer.status, answer.status
end

-- The one request that changes something: what was said, its HTTP status; or nil, nil, a decision.
local function effect(ctx, path, what)
  local body = json.encode(what)
  local answer, why, code, sent = ctx.http.effect { method = "POST", url = "https://" .. ctx.host() .. path, body = body,
    headers = headers(ctx, "POST", path, body) }
  if not answer and sent == false then return nil, nil, not_created { message = why, code = code } end
  if not answer then return nil, nil, unknown { message = why, code = code } end
  local said = answer:json()
  if type(said) ~= "table" then return nil, nil, unknown { message = "HTTP " .. answer.status } end
  if answer.status == 402 or answer.status == 422 then
    return nil, nil, failed { category = answer.status == 402 and "PROVIDER_ERROR" or "INVALID_REQUEST", code = said.code, message = said.message, final = true }
  end
  if answer.status ~= 200 and answer.status ~= 404 and answer.status ~= 409 then return nil, nil, unknown { message = "HTTP " .. answer.status } end
  return said, answer.status
end

local function at(text) return type(text) == "string" and time.parse(text) or nil end

-- What it says, as our decision about the payment.
local function decide(said)
  if said.status == "OPEN" then
    return pending { reference = said.id, @SHOWN@, expires_at = at(said.expires_at) }
  elseif said.status == "PAID" then
    return success { reference = said.id, money_id = said.money_id, amount = said.amount_paid, paid_at = at(said.paid_at) }
  elseif said.status == "EXPIRED" then
    return expired {}
  elseif said.status == "CANCELLED" then
    return cancelled {}
  elseif said.status == "REVERSED" then
    return failed { category = "PROVIDER_ERROR", code = "REVERSED", final = true }
  end
  return unknown { message = "its status is " .. tostring(said.status) }
end

-- Of a cancel and a refund: what the provider knows the payment by.
local function target(op) return op.input.reference or op.reference end

local INQUIRE = {
  cancel = function(ctx, op)
    local said, why = ask(ctx, target(op))
    if not said then return unknown { message = why } end
    if said.status == "OPEN" then return not_created { message = "it is still open" } end
    if said.status == "PAID" then return failed { category = "INVALID_REQUEST", code = "PAID", message = "it is paid", final = true } end
    return success {}
  end,
@refund@  refund = function(ctx, op)
@refund@    local said, why = ask(ctx, target(op))
@refund@    if not said then return unknown { message = why } end
@refund@    for _, r in ipairs(type(said.refunds) == "table" and said.refunds or {}) do
@refund@      if r.key == op.reference then return success { reference = r.id } end
@refund@    end
@refund@    return not_created { message = "no such refund" }
@refund@  end,
}

local WORDS = { PAID = "success", EXPIRED = "expired", CANCELLED = "cancelled", REVERSED = "reversed" }

return {
  api = 1, title = "@NAME@", provider = "@PROVIDER@", method = "@METHOD@", bank = "@PROVIDER@",
  effect = "offer",
  limits = { min = 10000, max = 20000000 },
  expires = { default = "24h", max = "30d", grace = "15m" },
  hosts = { sandbox = "sandbox.@PROVIDER@.example", staging = "sandbox.@PROVIDER@.example", production = "api.@PROVIDER@.example" },
  config = { key = secret "@PREFIX@_SECRET_KEY" },
  poll = { first = "5m", factor = 2, max = "1h" },
  lookup = "ours",
  amounts = "closed",

  create = function(ctx, op)
    local ends = op.expires_at or op.input.expires_in and ctx.now() + op.input.expires_in * 1000
    local said, status, decision = effect(ctx, "/v1/payments", { reference = op.reference, amount = op.input.amount, kind = "@LIKE@",
      expires_at = ends and time.format(ends) })
    if not said then return decision end
    if status ~= 200 or said.reference ~= op.reference then return unknown { message = "HTTP " .. status } end
    return decide(said)
  end,

  inquire = function(ctx, op)
    if INQUIRE[op.kind] then return INQUIRE[op.kind](ctx, op) end
    local said, why, status = ask(ctx, op.reference)
    if said then return decide(said) end
    return status == 404 and op.status ~= "pending" and not_created { message = "it does not know it" } or unknown { message = why }
  end,

  cancel = function(ctx, op)
    local said, status, decision = effect(ctx, "/v1/payments/" .. form.escape(target(op)) .. "/cancel", {})
    if not said then return decision end
    return status == 200 and said.status == "CANCELLED" and success {} or INQUIRE.cancel(ctx, op)
  end,
@refund@
@refund@  refund = function(ctx, op)
@refund@    local said, status, decision = effect(ctx, "/v1/payments/" .. form.escape(target(op)) .. "/refunds", { key = op.reference, amount = op.input.amount })
@refund@    if not said then return decision end
@refund@    return status == 200 and said.key == op.reference and success { reference = said.id } or INQUIRE.refund(ctx, op)
@refund@  end,

  -- Callbacks come twice, late and out of order: they say that there is news, and we ask what it is.
  notify = function(ctx, request)
    ctx.verify(crypto.hmac_verify("sha256", ctx.config.key, request.body, request.headers["x-signature"]), "X-Signature does not fit")
    local told = json.decode(request.body)
    local named = type(told) == "table" and type(told.reference) == "string" and #told.reference <= 255
    if not named then return reply(400, { message = "no reference" }) end
    local said = ask(ctx, told.reference)
    if not said then return reply(503, { message = "try again" }) end
    local word = WORDS[said.status]
    if not word then return reply(200, { message = "no news" }) end
    local money = word == "success" or word == "reversed"
    local verdict = ctx.settle { reference = said.reference, status = word, money_id = money and said.money_id or nil,
      amount = money and said.amount_paid or nil, paid_at = money and at(said.paid_at) or nil }
    return reply(verdict == "not_found" and 503 or 200, { message = verdict })
  end,

  docs = {
    keys = { @PREFIX@_SECRET_KEY = "from the provider's dashboard" },
    certainty = "made up: replace it by the provider's documentation",
  },
}
