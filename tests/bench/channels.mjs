// Channels of the size and shape that real ones have, for the memory measurement: signing, several
// operations, callbacks, a table of the provider's codes. They call the demo simulator.
const NAMES = ["Insufficient balance", "Account blocked", "Limit exceeded", "Wrong PIN", "Expired", "Cancelled by user"];
const CATEGORIES = ["INSUFFICIENT_BALANCE", "FRAUD_DETECTED", "LIMIT_EXCEEDED", "INVALID_OTP", "TIMEOUT", "USER_CANCELLED"];

export function channelText(n) {
  const codes = [];
  for (let i = 0; i < 6 + (n % 16); i++)
    codes.push(`  ["${4000 + n * 7 + i * 13}"] = { category = "${CATEGORIES[i % 6]}", message = "${NAMES[i % 6]} (${n}.${i})", final = ${i % 3 !== 0} },`);
  const retry = n % 2 === 0 ? "12m" : "20m";
  return `-- channels/wallet_${n}.lua: wallet number ${n} of the benchmark.
local BASE = "https://api.demo-wallet.example"
local CHARGES = BASE .. "/v1/charges"

-- The provider's codes and what they mean here.
local CODES = {
${codes.join("\n")}
}
local FALLBACK = { category = "PROVIDER_ERROR", message = "refused by wallet ${n}", final = true }

local function signature(ctx, text)
  return crypto.hmac("sha256", ctx.config.key, text, "hex")
end

local function headers(ctx, body)
  return { ["X-Signature"] = signature(ctx, body), ["Content-Type"] = "application/json", ["X-Partner"] = "P${String(n).padStart(4, "0")}" }
end

local function refusal(code, message)
  local known = CODES[tostring(code)] or FALLBACK
  return failed { category = known.category, code = code, message = message or known.message, final = known.final }
end

-- "PAID", "WAITING", "REFUSED": the provider's word as our decision.
local function decide(charge)
  if charge.status == "PAID" then
    return success { reference = charge.reference, data = { charge_id = charge.id, wallet = ${n} } }
  elseif charge.status == "WAITING" then
    return processing { reference = charge.reference, data = { charge_id = charge.id } }
  elseif charge.status == "REFUSED" then
    return refusal(charge.code, charge.message)
  end
  return unknown { message = "wallet ${n} said " .. tostring(charge.status) }
end

return {
  api = 1,
  title = "Wallet ${n}",
  provider = "demo",
  method = "ewallet",
  effect = "charge",
  limits = { min = 1000, max = ${20000000 + n} },
  expires = { default = "${retry}", max = "1h", grace = "1m" },
  hosts = { sandbox = "api.demo-wallet.example", staging = "api.demo-wallet.example", production = "api.demo-wallet.example" },
  config = { key = secret "DEMO_KEY" },
  input = { phone = { type = "string", required = true, doc = "the wallet's phone number, 08..." } },
  poll = { first = "2m", factor = 2, max = "1h" },
  lookup = "ours",
  amounts = "closed",

  create = function(ctx, op)
    local body = json.encode { reference = op.reference, amount = op.input.amount, phone = op.input.phone }
    local answer, why, code = ctx.http.effect { method = "POST", url = CHARGES, headers = headers(ctx, body), body = body }
    if not answer then return unknown { message = why, code = code } end
    if answer.status == 503 then return not_created { message = "wallet ${n} is in maintenance" } end
    local charge = answer:json()
    if not charge then return unknown { message = "the answer is no JSON" } end
    if answer.status >= 400 then return refusal(charge.code, charge.message) end
    return decide(charge)
  end,

  inquire = function(ctx, op)
    local answer, why = ctx.http.get { url = CHARGES .. "/" .. op.reference, headers = headers(ctx, op.reference) }
    if not answer then return unknown { message = why } end
    if answer.status == 404 then return not_created { message = "wallet ${n} does not know it" } end
    local charge = answer:json()
    if answer.status ~= 200 or not charge then return unknown { message = "HTTP " .. answer.status } end
    return decide(charge)
  end,

  docs = {
    keys = { DEMO_KEY = "any text: the simulator has the demo value" },
    certainty = "made for the benchmark",
  },
}
`;
}
