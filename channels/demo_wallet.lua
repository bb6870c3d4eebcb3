-- channels/demo_wallet.lua: Demo Wallet, a provider that exists only here. Its other side is
-- scripts/sandbox/demo.lua. Read it to see what a channel looks like; it charges a phone number and is
-- asked again by our reference when it did not answer.
local URL = "https://api.demo-wallet.example/v1/charges"

local function signed(ctx, body)
  return { ["X-Signature"] = crypto.hmac("sha256", ctx.config.key, body, "hex"), ["Content-Type"] = "application/json" }
end

-- The wallet's word for a charge, as our decision.
local function decide(charge)
  if charge.status == "PAID" then
    return success { reference = charge.reference, data = { charge_id = charge.id } }
  elseif charge.status == "WAITING" then
    return processing { reference = charge.reference, data = { charge_id = charge.id } }
  elseif charge.status == "REFUSED" then
    return failed { category = "INSUFFICIENT_BALANCE", code = charge.code, message = charge.message, final = true }
  end
  return unknown { message = "the wallet said " .. tostring(charge.status) }
end

return {
  api = 1,
  title = "Demo Wallet",
  provider = "demo",
  method = "ewallet",
  effect = "charge",
  limits = { min = 1000, max = 20000000 },
  expires = { default = "15m", max = "1h", grace = "1m" },
  hosts = { sandbox = "api.demo-wallet.example", staging = "api.demo-wallet.example", production = "api.demo-wallet.example" },
  config = { key = secret "DEMO_KEY" },
  input = { phone = { type = "string", required = true, doc = "the wallet's phone number, 08...", example = "081234561111" } },
  poll = { first = "2m", factor = 2, max = "1h" },
  lookup = "ours",
  amounts = "closed",

  create = function(ctx, op)
    local body = json.encode { reference = op.reference, amount = op.input.amount, phone = op.input.phone }
    local answer, why, code = ctx.http.effect { method = "POST", url = URL, headers = signed(ctx, body), body = body }
    if not answer then return unknown { message = why, code = code } end
    if answer.status == 503 then return not_created { message = "the wallet is in maintenance" } end
    local charge = answer:json()
    if not charge then return unknown { message = "the answer is no JSON" } end
    if answer.status == 401 then
      return failed { category = "UNAUTHORIZED_AT_PROVIDER", code = charge.code, message = charge.message, final = true }
    end
    if answer.status == 400 then
      return failed { category = "INVALID_REQUEST", code = charge.code, message = charge.message, final = true }
    end
    return decide(charge)
  end,

  inquire = function(ctx, op)
    local answer, why = ctx.http.get { url = URL .. "/" .. op.reference, headers = signed(ctx, op.reference) }
    if not answer then return unknown { message = why } end
    if answer.status == 404 then return not_created { message = "the wallet does not know it" } end
    local charge = answer:json()
    if answer.status ~= 200 or not charge then return unknown { message = "HTTP " .. answer.status } end
    return decide(charge)
  end,

  docs = {
    keys = { DEMO_KEY = "any text: the simulator has the demo value" },
    certainty = "ours: both sides are in this repository",
  },
}
