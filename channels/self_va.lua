-- channels/self_va.lua: virtual accounts of our own. A bank has lent us a prefix, the numbers behind it
-- are ours to give, and no provider is called to open one. The bank tells us of money that came:
--   POST /callbacks/self   {"va_number","amount","money_id","paid_at","status":"paid"|"reversed"}
--   X-Signature: hex of HMAC-SHA512 over the raw body, key SELF_KEY
-- Change PREFIX and DIGITS to what the bank agreed to, and `notify` to how it speaks.
local PREFIX, DIGITS = "88088", 10
local DAY_MS = 86400000
local REST_MS = 30 * DAY_MS -- how long a number rests after its end: money may still come for it
local FOREVER = 253402300799000 -- the end of the year 9999
local MOST = 1000000000000000 -- no payment can be more
local WORDS = { paid = "success", reversed = "reversed" }

return {
  api = 1, title = "Virtual Account", provider = "self", method = "virtual_account", bank = "self",
  effect = "offer",
  limits = { min = 1, max = 999999999999 },
  expires = { default = "24h", max = "180d", grace = "15m" },
  hosts = {},
  config = { key = secret "SELF_KEY" },
  poll = { first = "6h", factor = 2, max = "1d" },
  lookup = "ours",
  amounts = "closed",

  create = function(ctx, op)
    local usual = ctx.now() + (op.input.expires_in and op.input.expires_in * 1000 or DAY_MS)
    local ends = math.min(op.expires_at or usual, usual) -- chosen late it ends with its order
    local number, why = ctx.allocate("va", { 0, math.tointeger(10 ^ DIGITS) - 1 }, ends + REST_MS)
    if not number then return failed { category = "BANK_UNAVAILABLE", message = why, final = true } end
    return pending { va_number = PREFIX .. ("%0" .. DIGITS .. "d"):format(number), expires_at = ends, data = { number = number } }
  end,

  -- A number that stays: nobody else is ever given it.
  open_account = function(ctx, op)
    local number, why = ctx.allocate("va", { 0, math.tointeger(10 ^ DIGITS) - 1 }, FOREVER)
    if not number then return failed { category = "UNIQUE_CODES_EXHAUSTED", message = why, final = true } end
    return pending { va_number = PREFIX .. ("%0" .. DIGITS .. "d"):format(number) }
  end,

  -- Nobody can be asked: what was not told has not come, and a number that was not kept was never shown.
  inquire = function(_, op) return op.data and op.data.number and pending {} or not_created {} end,
  cancel = function() return success {} end,

  notify = function(ctx, request)
    ctx.verify(crypto.equal((request.headers["x-signature"] or ""):lower(),
      crypto.hmac("sha512", ctx.config.key, request.body, "hex")), "X-Signature does not fit")
    local told = json.decode(request.body)
    local word = type(told) == "table" and WORDS[told.status]
    if not word or type(told.money_id) ~= "string" or math.type(told.amount) ~= "integer" then
      return reply(400, { status = "bad request" })
    end
    local number = type(told.va_number) == "string" and told.va_number or ""
    local plain = number ~= "" and #number <= 255 and #told.money_id <= 255 and not (number .. told.money_id):find "%c"
    if not plain or told.amount <= 0 or told.amount > MOST then return reply(400, { status = "bad request" }) end
    local attempt = ctx.find { va_number = told.va_number } -- for a number of nobody's it is kept: a person finds it in suspense
    local verdict = ctx.settle { reference = attempt and attempt.reference or told.va_number, status = word, money_id = told.money_id, amount = told.amount,
      paid_at = type(told.paid_at) == "string" and time.parse(told.paid_at) or nil }
    -- Taken back before we have heard that it came: the bank says it again, or the money, heard of
    -- later, would stand here for good.
    local early = verdict == "not_found" or (word == "reversed" and verdict == "refused")
    return reply(early and 503 or 200, { status = verdict })
  end,

  docs = {
    keys = { SELF_KEY = "agreed with the bank that tells us of money" },
    certainty = "ours: replace the callback's form by the bank's own",
  },
}
