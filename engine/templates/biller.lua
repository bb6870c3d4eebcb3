-- @NAME@: a product sold through @PROVIDER@.
local function ask(ctx, path, body)
  return ctx.http.post { path = path, json = body }
end

return {
  api = 1, family = "@NAME@", upstream = "@PROVIDER@",

  inquiry = function(ctx, q)
    local answer = ask(ctx, "/inquiry", { customer = q.customer })
    if answer.status ~= 200 then
      return failed { category = "INVALID_REQUEST", code = tostring(answer.status), final = true }
    end
    return success { amount = answer.json.amount, name = answer.json.name }
  end,

  pay = function(ctx, op)
    local answer = ctx.http.effect {
      method = "POST", path = "/payment", json = { reference = op.reference, amount = op.amount },
    }
    if answer.status == 200 and answer.json.status == "success" then
      return success { reference = op.reference, money_id = answer.json.id }
    end
    return unknown {}
  end,

  advice = function(ctx, op)
    local answer = ask(ctx, "/status", { reference = op.reference })
    if answer.status == 404 then return not_created {} end
    if answer.status == 200 and answer.json.status == "success" then
      return success { reference = op.reference, money_id = answer.json.id }
    end
    return unknown {}
  end,
}
