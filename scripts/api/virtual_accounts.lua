-- scripts/api/virtual_accounts.lua: numbers that stay. Whoever pays into one makes a payment of its own, of what
-- he paid; a payment with an amount and an end has a number of its own (POST /v1/payments).
local query = require "api_query"

local function answer(account, text, code)
  if account then return 200, account end
  if not text or code == "E_NOTFOUND" then return problem { code = "NOT_FOUND", detail = "there is no such virtual account" } end
  return problem { code = "UNAVAILABLE", detail = "try again" }
end

return {
  api = 1,
  title = "Virtual accounts",
  routes = {
    ["POST /v1/virtual_accounts"] = {
      auth = "merchant", about = "gives out a number that stays",
      run = query.plain(function(req)
        return core.payment.open_account { merchant = req.merchant, body = req.body, key = req.headers["idempotency-key"] }
      end),
    },
    ["GET /v1/virtual_accounts"] = {
      auth = "merchant", about = "virtual accounts, newest first",
      run = function(req)
        local q, wrong = query.read(req, { limit = query.limit, starting_after = query.text })
        if not q then return wrong end
        local list, _, code = core.virtual_account.list(req.merchant, q.limit or 20, q.starting_after)
        if code == "E_NOTFOUND" then return query.wrong("starting_after", "there is no such virtual account") end
        if not list then return problem { code = "UNAVAILABLE", detail = "try again" } end
        return 200, list
      end,
    },
    ["GET /v1/virtual_accounts/:id"] = {
      auth = "merchant", about = "a virtual account",
      run = query.plain(function(req) return answer(core.virtual_account.get(req.merchant, req.params.id)) end),
    },
    ["POST /v1/virtual_accounts/:id/close"] = {
      auth = "merchant", about = "closes it; money that comes then waits for a person",
      run = query.bare(function(req) return answer(core.virtual_account.close(req.merchant, req.params.id)) end),
    },
  },
}
