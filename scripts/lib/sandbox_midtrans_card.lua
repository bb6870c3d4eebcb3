-- scripts/lib/sandbox_midtrans_card.lua: cards at Midtrans' simulator: the token that Midtrans' script makes
-- in the browser, and what the bank says to each test card. Numbers are looked at and not kept.
local cards = {}

local TOKEN_MS = 10 * 60000
local DENIED = { channel_response_code = "05", channel_response_message = "Do not honour" }
local POOR = { channel_response_code = "51", channel_response_message = "Insufficient funds" }
-- Published test cards; others are accepted.
local BANK = { ["4911111111111113"] = DENIED, ["5111111111111118"] = DENIED, ["4711111111111115"] = DENIED, ["5511111111111114"] = DENIED,
  ["4472429869996670"] = POOR, ["4806000000000081"] = { channel_response_code = "51", channel_response_message = "Insufficient funds", above = 30000 } }
local FRAUD = { ["4611111111111116"] = true, ["5411111111111115"] = true }

local function luhn(number)
  local sum = 0
  for i = 1, #number do
    local d = tonumber(number:sub(-i, -i))
    if i % 2 == 0 then d = d * 2 > 9 and d * 2 - 9 or d * 2 end
    sum = sum + d
  end
  return sum % 10 == 0
end

-- nil where the query is good, else what is wrong; the token.
function cards.token(ctx, want)
  local number = tostring(want.card_number or "")
  local wrong = {}
  if not number:find "^%d+$" or #number < 13 or #number > 19 then
    wrong[1] = "card_number is required and must be digits"
  elseif not luhn(number) then
    wrong[1] = "card_number does not match with Luhn algorithm"
  end
  if not tostring(want.card_exp_month or ""):find "^%d%d?$" or not tostring(want.card_exp_year or ""):find "^%d%d%d%d$" then
    wrong[#wrong + 1] = "card_exp_month and card_exp_year are required"
  end
  if not tostring(want.card_cvv or ""):find "^%d%d%d%d?$" then wrong[#wrong + 1] = "card_cvv is required" end
  if #wrong > 0 then return wrong end
  local token = number:sub(1, 8) .. "-" .. number:sub(-4) .. "-" .. crypto.uuid()
  local bank = BANK[number]
  ctx.store.put("card " .. token, json.encode { until_ms = ctx.now() + TOKEN_MS, masked = number:sub(1, 8) .. "-" .. number:sub(-4),
    fraud = FRAUD[number], bank = bank })
  return nil, token
end

-- What the token stands for, once; nil: missing, used, or too old.
function cards.take(ctx, token)
  if type(token) ~= "string" or #token > 100 then return nil end
  local text, version = ctx.store.get("card " .. token)
  local card = text and json.decode(text)
  if not card or card.until_ms <= ctx.now() or not ctx.store.cas("card " .. token, nil, version) then return nil end
  return card
end

-- What becomes of a charge with it, as fields of the transaction.
function cards.outcome(card, amount)
  if card.fraud then return { status = "deny", fraud_status = "deny" } end
  local bank = card.bank
  if bank and (not bank.above or amount > bank.above) then
    return { status = "deny", channel_response_code = bank.channel_response_code, channel_response_message = bank.channel_response_message }
  end
  return { status = "capture", channel_response_code = "00", channel_response_message = "Approved", eci = "05", approval_code = "1578569243927" }
end

return cards
