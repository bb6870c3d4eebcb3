-- scripts/api/operations.lua: asks a channel for one thing and shows what became of it. It asks nobody who they are,
-- so it exists in simulated mode only.
local SIZE_MAX = 60000
local FIELDS = { channel = true, reference = true, input = true }

local function invalid(param, detail)
  return problem { status = 400, code = "INVALID_REQUEST", detail = detail, param = param }
end

-- Nothing is said in the query; nil where that is so.
local function query_fault(req)
  local args = req:args()
  if not args then return invalid(nil, "the query does not read") end
  local name = next(args)
  if name then return invalid(name, "there is no such parameter") end
end

-- The first thing wrong with the body, as a problem; nil when there is none.
local function fault(body, size)
  if type(body) ~= "table" or #body > 0 then return invalid(nil, "the body is a JSON object") end
  for name in pairs(body) do
    if not FIELDS[name] then return invalid(tostring(name), "there is no such field") end
  end
  local reference = body.reference
  if reference ~= nil and (type(reference) ~= "string" or #reference > 64 or not reference:find "^[%w._~%-]+$" or not reference:find "[^.]") then
    return invalid("reference", "reference is a text of 1 to 64 of A-Z a-z 0-9 . _ ~ -, not dots only")
  end
  if size > SIZE_MAX then return invalid("input", "the body is greater than 60000 bytes") end
end

return {
  api = 1,
  routes = {
    ["POST /v1/operations"] = {
      auth = "simulated",
      run = function(req)
        local odd = query_fault(req)
        if odd then return odd end
        local body, why = req:json()
        if why then return invalid(nil, why) end
        local wrong = fault(body, #req.body)
        if wrong then return wrong end
        local op, text, code, param = core.operation.create {
          channel = body.channel, reference = body.reference, input = body.input,
        }
        if not op and param then
          return problem { code = code == "E_LIMIT" and "LIMIT_EXCEEDED" or "INVALID_REQUEST", detail = text, param = param }
        elseif code == "E_EXISTS" then
          return problem { code = "DUPLICATE_TRANSACTION", detail = "this reference was used before" }
        elseif not op then
          return problem { code = "UNAVAILABLE", detail = text }
        end
        return 201, op
      end,
    },
    ["GET /v1/operations/:id"] = {
      auth = "simulated",
      run = function(req)
        local odd = query_fault(req)
        if odd then return odd end
        local op = core.operation.get(req.params.id)
        if not op then return problem { status = 404, code = "NOT_FOUND", detail = "no such operation" } end
        return 200, op
      end,
    },
  },
}
