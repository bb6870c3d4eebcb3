-- @NAME@: a product sold through @PROVIDER@.
local function call(ctx, kind, path, body)
  local request = { url = "https://" .. ctx.host() .. path, json = body }
  if kind == "effect" then request.method = "POST" end
  local answer, why = ctx.http[kind](request)
  if not answer then return nil, why end
  return answer:json(), "HTTP " .. answer.status, answer.status
end

return {
  api = 1, family = "@NAME@", upstream = "@PROVIDER@",
  hosts = { sandbox = "sandbox.@PROVIDER@.example", staging = "sandbox.@PROVIDER@.example", production = "api.@PROVIDER@.example" },

  inquiry = function(ctx, q)
    local bill, why, status = call(ctx, "post", "/inquiry", { customer = q.customer })
    if not bill then return unknown { message = why } end
    if status ~= 200 then
      return failed { category = "INVALID_REQUEST", code = tostring(status), final = true }
    end
    return success { amount = bill.amount, name = bill.name }
  end,

  pay = function(ctx, op)
    local paid, why = call(ctx, "effect", "/payment", { reference = op.reference, amount = op.amount })
    if paid and paid.status == "success" then
      return success { reference = op.reference, money_id = paid.id }
    end
    return unknown { message = why }
  end,

  advice = function(ctx, op)
    local found, why, status = call(ctx, "post", "/status", { reference = op.reference })
    if status == 404 then return not_created {} end
    if found and found.status == "success" then
      return success { reference = op.reference, money_id = found.id }
    end
    return unknown { message = why }
  end,
}
