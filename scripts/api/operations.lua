-- scripts/api/operations.lua: asks a channel for one thing and shows what became of it.
local SIZE_MAX = 60000
local FIELDS = { channel = true, reference = true, input = true }

local function invalid(param, detail)
  return problem { status = 400, code = "INVALID_REQUEST", detail = detail, param = param }
end

-- The first thing wrong with the body, as a problem; nil when there is none.
local function fault(body, size)
  if type(body) ~= "table" or #body > 0 then return invalid(nil, "the body is a JSON object") end
  for name in pairs(body) do
    if not FIELDS[name] then return invalid(tostring(name), "there is no such field") end
  end
  local channel, reference, input = body.channel, body.reference, body.input
  if channel == nil then return invalid("channel", "channel is missing") end
  if type(channel) ~= "string" or not channel:find "^[%w_%-]+$" or #channel > 64 then
    return invalid("channel", "channel is the name of a channel")
  end
  if reference ~= nil and (type(reference) ~= "string" or not reference:find "^[%w._~%-]+$" or #reference > 64) then
    return invalid("reference", "reference is a text of 1 to 64 of A-Z a-z 0-9 . _ ~ -")
  end
  if input ~= nil and (type(input) ~= "table" or #input > 0) then return invalid("input", "input is an object") end
  if size > SIZE_MAX then return invalid("input", "the body is greater than 60000 bytes") end
end

return {
  api = 1,
  routes = {
    ["POST /v1/operations"] = {
      auth = "none",
      run = function(req)
        local body, why = req:json()
        if why then return invalid(nil, why) end
        local wrong = fault(body, #req.body)
        if wrong then return wrong end
        local op, text, code = core.operation.create {
          channel = body.channel, reference = body.reference, input = body.input or {},
        }
        if not op then
          if code == "E_INVAL" then return invalid("input", text) end
          local status = code == "E_NOTFOUND" and 400 or code == "E_EXISTS" and 409 or 503
          local name = status == 400 and "INVALID_REQUEST" or status == 409 and "DUPLICATE_TRANSACTION" or "UNAVAILABLE"
          if status == 409 then text = "this reference was used before" end
          return problem { status = status, code = name, detail = text, param = status == 400 and "channel" or nil }
        end
        return 201, op
      end,
    },
    ["GET /v1/operations/:id"] = {
      auth = "none",
      run = function(req)
        local op = core.operation.get(req.params.id)
        if not op then return problem { status = 404, code = "NOT_FOUND", detail = "no such operation" } end
        return 200, op
      end,
    },
  },
}
