-- @NAME@: one way to pay through @PROVIDER@.
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
    local answer = ctx.http.effect {
      method = "POST", path = "/v1/virtual-accounts",
      headers = { Authorization = { "Bearer ", ctx.config.key } },
      json = { reference = op.reference, amount = op.amount },
    }
    if answer.status == 400 then
      return failed { category = "INVALID_REQUEST", code = answer.json.code, message = answer.json.message, final = true }
    end
    return pending { reference = op.reference, va_number = answer.json.va_number }
  end,

  inquire = function(ctx, op)
    local answer = ctx.http.get {
      path = "/v1/virtual-accounts/" .. op.reference,
      headers = { Authorization = { "Bearer ", ctx.config.key } },
    }
    if answer.status == 404 then return not_created {} end
    if answer.json.status == "PAID" then
      return success { money_id = answer.json.payment_id, amount = answer.json.amount }
    end
    return pending { reference = op.reference }
  end,

  notify = function(ctx, request)
    ctx.verify(crypto.equal(request.headers["x-signature"], crypto.hmac("sha256", ctx.config.key, request.body)))
    local event = json.decode(request.body)
    ctx.settle {
      reference = event.reference, money_id = event.payment_id, amount = event.amount,
      paid_at = event.paid_at, status = "success",
    }
    return reply(200, { status = "ok" })
  end,
}
