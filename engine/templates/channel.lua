-- @NAME@: one way to pay through @PROVIDER@.
local function url(ctx, path)
  return "https://" .. ctx.host() .. path
end

return {
  api = 1, title = "@NAME@", provider = "@PROVIDER@", method = "virtual_account", bank = "@PROVIDER@",
  effect = "offer", -- nobody can pay what nobody was shown; "charge" where the call itself takes money
  limits = { min = 10000, max = 50000000 },
  expires = { default = "24h", max = "30d", grace = "15m" },
  hosts = { sandbox = "sandbox.@PROVIDER@.example", staging = "sandbox.@PROVIDER@.example", production = "api.@PROVIDER@.example" },
  config = { key = secret "@PREFIX@_SECRET_KEY" },
  poll = { first = "5m", factor = 2, max = "1h" },
  lookup = "ours",
  amounts = "closed",

  create = function(ctx, op)
    local answer, why = ctx.http.effect {
      method = "POST", url = url(ctx, "/v1/virtual-accounts"),
      headers = { Authorization = { "Bearer ", ctx.config.key } },
      json = { reference = op.reference, amount = op.input.amount },
    }
    if not answer then return unknown { message = why } end
    local body = answer:json()
    if answer.status == 400 and body then
      return failed { category = "INVALID_REQUEST", code = body.code, message = body.message, final = true }
    end
    if answer.status ~= 200 or not body then return unknown { message = "HTTP " .. answer.status } end
    return pending { reference = op.reference, va_number = body.va_number }
  end,

  inquire = function(ctx, op)
    local answer, why = ctx.http.get {
      url = url(ctx, "/v1/virtual-accounts/" .. op.reference),
      headers = { Authorization = { "Bearer ", ctx.config.key } },
    }
    if not answer then return unknown { message = why } end
    if answer.status == 404 then return not_created {} end
    local body = answer:json()
    if answer.status ~= 200 or not body then return unknown { message = "HTTP " .. answer.status } end
    if body.status == "PAID" then
      return success { money_id = body.payment_id, amount = body.amount }
    end
    return pending { reference = op.reference }
  end,
}
