-- scripts/lib/sandbox_midtrans_answers.lua: how Midtrans' simulator answers. Like the real one it answers errors
-- with HTTP 200 and the code in the body; only a wrong key (401) and its own failures (5xx) show in the HTTP
-- status. [uncertain in the reference; clients must read the body.]
local books = require "sandbox_midtrans_books"
local answers = {}

local MESSAGES = {
  ["401"] = "Transaction cannot be authorized with the current client/server key.",
  ["402"] = "Payment channel is not activated.",
  ["404"] = "Transaction doesn't exist.",
  ["406"] = "The request could not be completed due to a conflict with the current state of the target resource, please try again",
  ["411"] = "Token id is missing, invalid, or timed out",
  ["412"] = "Merchant cannot modify the status of the transaction",
  ["413"] = "The request could not be processed due to malformed syntax in the request body.",
  ["414"] = "Refund request is rejected due to invalid amount",
  ["500"] = "Sorry. Our system is recovering from unexpected issues. Please retry.",
  ["503"] = "Bank/partner is experiencing connection issue.",
}
local HTTP = { ["401"] = 401, ["500"] = 500, ["503"] = 503 }

local function refuse(code, message, more)
  local body = more or {}
  body.status_code, body.status_message, body.id = code, message or MESSAGES[code], crypto.uuid()
  return reply(HTTP[code] or 200, body)
end
local function invalid(list)
  return refuse("400", "One or more parameters in the payload is invalid.", { validation_messages = json.array(list) })
end

local function answer(ctx, tx, code, message, more)
  local v = books.view(ctx, tx)
  for name, value in pairs(more or {}) do v[name] = value end
  v.status_code, v.status_message = code, message
  return reply(200, v)
end

answers.MESSAGES, answers.refuse, answers.invalid, answers.answer = MESSAGES, refuse, invalid, answer

return answers
