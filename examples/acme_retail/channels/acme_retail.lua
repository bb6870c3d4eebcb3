-- channels/acme_retail.lua: pay at an Acme shop's till with a code. A whole channel to begin from: copy
-- this folder over the one that holds channels/ and scripts/, while the server runs.
local function call(ctx, kind, path, body)
  local answer, why, code, sent = ctx.http[kind] { method = body and "POST", url = "https://" .. ctx.host() .. path, json = body,
    bearer = ctx.config.key }
  if answer then return answer, answer:json() end
  return nil, sent == false and not_created { message = why, code = code } or unknown { message = why, code = code }
end

local function decide(code)
  if code.status == "open" then return pending { reference = code.id, payment_code = code.number, outlet = "Acme Shop" } end
  if code.status == "paid" then return success { reference = code.id, money_id = code.id, amount = code.paid } end
  if code.status == "expired" then return expired {} end
  return unknown { message = "Acme said " .. tostring(code.status) }
end

return {
  api = 1, title = "Acme Shop", provider = "acme", method = "retail", bank = "acme", effect = "offer", amounts = "closed", lookup = "ours",
  limits = { min = 10000, max = 5000000 }, expires = { default = "24h", max = "7d", grace = "15m" },
  hosts = { sandbox = "api.acme-shop.example", staging = "api.acme-shop.example", production = "api.acme-shop.example" },
  config = { key = secret "ACME_KEY" },
  poll = { first = "15m", factor = 2, max = "6h" },

  create = function(ctx, op)
    local answer, code = call(ctx, "effect", "/codes", { id = op.reference, amount = op.input.amount, ends = time.format(op.expires_at) })
    if not answer then return code end
    if answer.status == 400 then return failed { category = "INVALID_REQUEST", final = true } end
    return answer.status == 200 and code and decide(code) or unknown { message = "HTTP " .. answer.status }
  end,

  inquire = function(ctx, op)
    local answer, code = call(ctx, "get", "/codes/" .. op.reference)
    if not answer then return code end
    if answer.status == 404 then return not_created {} end
    return answer.status == 200 and code and decide(code) or unknown { message = "HTTP " .. answer.status }
  end,

  notify = function(ctx, request)
    ctx.verify(crypto.equal(request.headers["x-signature"] or "", crypto.hmac("sha256", ctx.config.key, request.body, "hex")))
    local told = json.decode(request.body)
    if type(told) ~= "table" or type(told.id) ~= "string" or told.status ~= "paid" or math.type(told.paid) ~= "integer" then return reply(400, {}) end
    local verdict = ctx.settle { reference = told.id, status = "success", money_id = told.id, amount = told.paid }
    return reply(verdict == "not_found" and 503 or 200, { verdict = verdict })
  end,

  docs = { keys = { ACME_KEY = "from Acme's dashboard" }, certainty = "made up, as Acme is" },
}
