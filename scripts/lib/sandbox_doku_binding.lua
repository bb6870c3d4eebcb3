-- scripts/lib/sandbox_doku_binding.lua: linking wallets, accounts and cards at DOKU's simulator. No channel
-- of ours uses it; DOKU's own client does, and it should find the door where it is. Nothing of a card or a
-- phone is kept.
local rules = require "sandbox_doku"
local binding = {}

binding.CHANNELS = { EMONEY_DANA_SNAP = true, EMONEY_SHOPEE_PAY_SNAP = true, EMONEY_OVO_SNAP = true, DIRECT_DEBIT_ALLO_SNAP = true,
  DIRECT_DEBIT_CIMB_SNAP = true, DIRECT_DEBIT_MANDIRI_SNAP = true, DIRECT_DEBIT_BRI_SNAP = true }

-- Whether the call carries a payer's token that lives.
function binding.payer(ctx, request)
  local token = request.headers["authorization-customer"] or ""
  return rules.kept_token(ctx, (token:gsub("^Bearer ", ""))) ~= nil
end

local function channel_of(body) return rules.table_or(body.additionalInfo).channel end

local function bind(service, wanted)
  return function(ctx, body)
    if not binding.CHANNELS[channel_of(body)] then return rules.format(service, "additionalInfo.channel") end
    if not rules.text(body[wanted], 4096) then return rules.field(service, wanted) end
    return rules.say(200, service, "00", "Successful", { referenceNo = crypto.uuid(),
      redirectUrl = ctx.url("/sandbox/doku/page?reference=bind"), additionalInfo = { custIdMerchant = "customer", status = "PENDING", authCode = crypto.uuid() } })
  end
end

local function unbind(service)
  return function(_, body)
    if not rules.text(body.tokenId, 4096) then return rules.field(service, "tokenId") end
    return rules.say(200, service, "00", "Successful", { referenceNo = crypto.uuid(), redirectUrl = "" })
  end
end

local function balance(ctx, body, _, request)
  if not binding.CHANNELS[channel_of(body)] then return rules.format("11", "additionalInfo.channel") end
  if not binding.payer(ctx, request) then return rules.say(401, "11", "02", "Invalid Customer Token") end
  return rules.say(200, "11", "00", "Successful", { accountInfos = json.array { { balanceType = "CASH", amount = rules.money(1000000) } } })
end

-- path -> service, run(ctx, body, order, request)
binding.CALLS = {
  ["/direct-debit/core/v1/registration-account-binding"] = { "07", bind("07", "phoneNo") },
  ["/direct-debit/core/v1/registration-account-unbinding"] = { "09", unbind "09" },
  ["/direct-debit/core/v1/registration-card-bind"] = { "01", bind("01", "cardData") },
  ["/direct-debit/core/v1/registration-card-unbind"] = { "05", unbind "05" },
  ["/direct-debit/core/v1/balance-inquiry"] = { "11", balance },
}

return binding
