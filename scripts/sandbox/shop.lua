-- scripts/sandbox/shop.lua: a merchant's shop that hears of events, for plays and for people who try webhooks
-- out: POST /sandbox/shop/secret takes the endpoint's secret, POST /sandbox/shop/hook answers 200 to what is
-- signed with it as Standard Webhooks says, 401 to all else, and 500 as often as /sandbox/shop/broken says.
local HOOK = "secret"

local function signed(ctx, request)
  local secret = ctx.store.get(HOOK)
  local key = secret and crypto.base64_decode((secret:gsub("^whsec_", "")))
  local id, at = request.headers["webhook-id"], request.headers["webhook-timestamp"]
  if not key or not id or not at then return false end
  local right = "v1," .. crypto.hmac("sha256", key, id .. "." .. at .. "." .. request.body, "base64")
  for one in (request.headers["webhook-signature"] or ""):gmatch "%S+" do
    if crypto.equal(one, right) then return true end
  end
  return false
end

return {
  api = 1, provider = "shop", title = "A merchant's shop",
  routes = {
    ["POST /secret"] = function(ctx, request)
      ctx.store.put(HOOK, request.body)
      return reply(200, { known = true })
    end,
    ["POST /broken"] = function(ctx, request)
      ctx.store.put("broken", request.body)
      return reply(200, { broken = request.body })
    end,
    ["POST /hook"] = function(ctx, request)
      if not signed(ctx, request) then return reply(401, { heard = false }) end
      local left = tonumber((ctx.store.get "broken") or "0")
      if left > 0 then
        ctx.store.put("broken", tostring(left - 1))
        return reply(500, { heard = false })
      end
      return reply(200, { heard = true })
    end,
  },
}
