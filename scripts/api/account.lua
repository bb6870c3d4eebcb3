-- scripts/api/account.lua: what a merchant has, what happened, what there is to pay with and what it costs.
local query = require "api_query"

local METHODS = { virtual_account = true, bank_transfer = true, qris = true, ewallet = true, paylater = true, card = true, retail = true }
local QUOTE = { amount = true, currency = true, method = true, bank = true, channel = true }

local function day() return time.format(time.now(), "date", "WIB") end

local function events_of(req, object)
  local q, wrong = query.read(req, { limit = query.limit, after = query.number })
  if not q then return wrong end
  local oldest = q.after and core.webhook.oldest(req.merchant)
  if oldest and q.after + 1 < oldest then
    return problem {
      code = "INVALID_REQUEST", status = 410, param = "after", oldest = oldest,
      detail = "events up to " .. oldest - 1 .. " are not kept any more; the oldest is " .. oldest,
    }
  end
  local list = core.payment.events(req.merchant, q.limit or 20, q.after or 0, object)
  if not list then return problem { code = "UNAVAILABLE", detail = "try again" } end
  return 200, list
end

local function quote_fault(body, why)
  if type(body) ~= "table" or #body > 0 then return query.wrong(nil, why or "the body is a JSON object") end
  for name, value in sorted(body) do
    if not QUOTE[name] then return query.wrong(name, "there is no such field") end
    if name ~= "amount" and type(value) ~= "string" then return query.wrong(name, name .. " is a text") end
  end
  if math.type(body.amount) ~= "integer" or body.amount < 1 or body.amount > 1000000000000 then
    return query.wrong("amount", "amount is an integer of 1 to 1000000000000")
  end
  if body.method and not METHODS[body.method] then return query.wrong("method", "there is no such method") end
  if body.currency and body.currency ~= "IDR" then return query.wrong("currency", 'currency is "IDR"') end
end

-- One option: what this channel would cost; nil when it does not take the amount.
local function option(req, body, c)
  if not c.available or (body.method or c.method) ~= c.method or (body.channel or c.name) ~= c.name then return nil end
  local bank = c.bank ~= json.null and c.bank or nil
  if body.bank and body.bank ~= bank then return nil end
  if body.amount < c.limits.min or (c.limits.max and body.amount > c.limits.max) then return nil end
  local fee, why = core.rules.fee {
    amount = body.amount, currency = "IDR", method = c.method, channel = c.name, provider = c.provider, bank = bank,
    merchant = req.merchant, paid_on = day(),
  }
  if not fee then error(why) end
  local due = body.amount + (fee.bearer == "customer" and fee.total or 0)
  return { method = c.method, channel = c.name, fee = { total = fee.total, bearer = fee.bearer, lines = fee.lines }, amount_due = due }
end

-- One line of the merchant's books: what changed, and what it had before and after.
local function mutation(row)
  return {
    id = tostring(row.entry), object = "mutation", type = row.kind, amount = row.change, reference = row.object or json.null,
    balance_before = row.balance - row.change, balance_after = row.balance, created_at = time.format(row.at, "rfc3339", "WIB"),
  }
end

local function mutations(req)
  local q, wrong = query.read(req, { limit = query.limit, starting_after = query.number })
  if not q then return wrong end
  local limit, data = q.limit or 20, json.array {}
  local rows = store.query("mutations", req.merchant, q.starting_after, limit + 1)
  if not rows then return problem { code = "UNAVAILABLE", detail = "try again" } end
  for i = 1, math.min(#rows, limit) do data[i] = mutation(rows[i]) end
  return 200, { object = "list", data = data, has_more = #rows > limit }
end

return {
  api = 1,
  title = "Account",
  routes = {
    ["GET /v1/channels"] = {
      auth = "merchant", about = "ways to pay",
      run = function(req) -- without a limit: all of them, there are no newest to begin with
        local q, wrong = query.read(req, { limit = query.limit, starting_after = query.text })
        if not q then return wrong end
        local all = core.channels.list()
        local piece, wrong_piece = query.piece(all, q, #all, "channel", "name")
        if not piece then return wrong_piece end
        return 200, piece
      end,
    },
    ["POST /v1/quotes"] = {
      auth = "merchant", about = "what each way to pay would cost",
      run = query.plain(function(req)
        local body, why = req:json()
        local wrong = quote_fault(body, why)
        if wrong then return wrong end
        local options = json.array {}
        for _, c in ipairs(core.channels.list()) do options[#options + 1] = option(req, body, c) end
        return 200, { object = "quote", amount = body.amount, options = options }
      end),
    },
    ["GET /v1/balance"] = {
      auth = "merchant", about = "what the merchant has",
      run = query.plain(function(req)
        local balance = core.payment.balance(req.merchant)
        if not balance then return problem { code = "UNAVAILABLE", detail = "try again" } end
        balance.object = "balance"
        return 200, balance
      end),
    },
    ["GET /v1/balance/mutations"] = { auth = "merchant", about = "how it came to that, newest first", run = mutations },
    ["GET /v1/events"] = { auth = "merchant", about = "events in order, from behind a sequence", run = events_of },
    ["GET /v1/payments/:id/events"] = {
      auth = "merchant", about = "events of a payment",
      run = function(req)
        if not core.payment.get(req.merchant, req.params.id) then
          return problem { code = "NOT_FOUND", detail = "there is no such payment" }
        end
        return events_of(req, req.params.id)
      end,
    },
  },
}
