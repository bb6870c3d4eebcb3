-- scripts/sandbox/demo.lua: the Demo Wallet's side of channels/demo_wallet.lua. It keeps its books in
-- its own durable store, checks every signature, and answers the same reference with the same charge.
local function signed(ctx, request, text)
  return crypto.equal(request.headers["x-signature"] or "", crypto.hmac("sha256", ctx.config.key, text, "hex"))
end

local function find(ctx, reference)
  local text, version, code = ctx.store.get("charge " .. reference)
  if code then error(version) end -- not to know is not "there is none": that would be a wrong "failed"
  return text and json.decode(text), version
end

local function refuse(status, code, message)
  return reply(status, { code = code, message = message })
end

return {
  api = 1,
  provider = "demo",
  title = "Demo Wallet simulator",
  config = { key = secret "DEMO_KEY" },
  routes = {
    ["POST /v1/charges"] = function(ctx, request)
      if not signed(ctx, request, request.body) then return refuse(401, "SIGNATURE", "the signature does not fit") end
      local want = json.decode(request.body)
      if type(want) ~= "table" or type(want.reference) ~= "string" then
        return refuse(400, "REFERENCE", "reference is missing")
      end
      if math.type(want.amount) ~= "integer" or want.amount < 1 then
        return refuse(400, "AMOUNT", "amount must be a positive integer")
      end
      local known = find(ctx, want.reference)
      if known then return reply(200, known) end
      local charge = { id = "dw_" .. want.reference, reference = want.reference, amount = want.amount, status = "PAID" }
      -- Numbers that end in 0000 have no balance, in 1111 wait for the person.
      if want.phone and want.phone:sub(-4) == "0000" then
        charge.status, charge.code, charge.message = "REFUSED", "51", "not enough balance"
      elseif want.phone and want.phone:sub(-4) == "1111" then
        charge.status = "WAITING"
      end
      local version = ctx.store.cas("charge " .. want.reference, json.encode(charge), 0)
      if not version then return reply(200, (find(ctx, want.reference))) end
      return reply(200, charge)
    end,
    ["GET /v1/charges/:reference"] = function(ctx, request)
      local reference = request.params.reference
      if not signed(ctx, request, reference) then return refuse(401, "SIGNATURE", "the signature does not fit") end
      local charge = find(ctx, reference)
      if not charge then return refuse(404, "NOT_FOUND", "no such charge") end
      return reply(200, charge)
    end,
  },
}
