-- scripts/api/operations.lua: asks a channel for one thing and shows what became of it.
return {
  api = 1,
  routes = {
    ["POST /v1/operations"] = {
      auth = "none",
      run = function(req)
        local body, why = req:json()
        if not body then return problem { status = 400, code = "INVALID_REQUEST", detail = why } end
        if type(body.channel) ~= "string" then
          return problem { status = 400, code = "INVALID_REQUEST", detail = "channel is missing", param = "channel" }
        end
        local op, text, code = core.operation.create {
          channel = body.channel, reference = body.reference, input = body.input or {},
        }
        if not op then
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
