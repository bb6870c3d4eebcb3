-- scripts/api/webhooks.lua: where a merchant hears of events. The secret is shown when it is made, never again.
local query = require "api_query"

local FIELDS = { url = true, enabled_types = true, format = true }
local CHANGES = { url = true, enabled_types = true, disabled = true }

local function missing(what) return problem { code = "NOT_FOUND", detail = "there is no such " .. what } end

-- The body with nothing in it but these fields; nil and the problem.
local function body_of(req, fields)
  local body, why = query.object(req)
  if not body then return nil, query.wrong(nil, why or "the body is a JSON object") end
  for name, value in sorted(body) do
    if not fields[name] then return nil, query.wrong(name, "there is no such field") end
    if value == json.null then return nil, query.wrong(name, name .. " is not null") end
  end
  if body.disabled ~= nil and type(body.disabled) ~= "boolean" then
    return nil, query.wrong("disabled", "disabled is true or false")
  end
  return body
end

-- What core.webhook gave, or the problem that says why not.
local function answer(status, endpoint, text, code, param)
  if endpoint then return status, endpoint end
  if code == "E_INVAL" then return query.wrong(param, text) end
  if code == "E_LIMIT" then return problem { code = "LIMIT_EXCEEDED", detail = text, param = param } end
  if code == "E_NOTFOUND" then return missing "webhook endpoint" end
  return problem { code = "UNAVAILABLE", detail = "try again" }
end

local function update(req)
  local body, wrong = body_of(req, CHANGES)
  if not body then return wrong end
  return answer(200, core.webhook.set(req.merchant, req.params.id, body))
end

local function list(req)
  local q, wrong = query.read(req, { limit = query.limit, starting_after = query.text })
  if not q then return wrong end
  local all = core.webhook.list(req.merchant)
  if not all then return problem { code = "UNAVAILABLE", detail = "try again" } end
  local piece, wrong_piece = query.piece(all, q, 20, "webhook endpoint", "id")
  if not piece then return wrong_piece end
  return 200, piece
end

return {
  api = 1,
  title = "Webhooks",
  routes = {
    ["POST /v1/webhook_endpoints"] = {
      auth = "merchant", about = "adds an endpoint; shows its secret, once",
      run = query.plain(function(req)
        local body, wrong = body_of(req, FIELDS)
        if not body then return wrong end
        return answer(201, core.webhook.add(req.merchant, body))
      end),
    },
    ["GET /v1/webhook_endpoints"] = { auth = "merchant", about = "webhook endpoints, newest first", run = list },
    ["GET /v1/webhook_endpoints/:id"] = {
      auth = "merchant", about = "a webhook endpoint",
      run = query.plain(function(req)
        local endpoint, _, code = core.webhook.get(req.merchant, req.params.id)
        return answer(200, endpoint, nil, code or "E_NOTFOUND")
      end),
    },
    ["POST /v1/webhook_endpoints/:id"] = { auth = "merchant", about = "changes, disables or enables it", run = query.plain(update) },
    ["PATCH /v1/webhook_endpoints/:id"] = { auth = "merchant", about = "the same", run = query.plain(update) },
    ["DELETE /v1/webhook_endpoints/:id"] = {
      auth = "merchant", about = "deletes it; what waits is not delivered any more",
      run = query.plain(function(req)
        local done, _, code = core.webhook.set(req.merchant, req.params.id, { deleted = true })
        if not done then return answer(200, nil, nil, code) end
        return 200, { id = req.params.id, object = "webhook_endpoint", deleted = true }
      end),
    },
    ["POST /v1/webhook_endpoints/:id/rotate_secret"] = {
      auth = "merchant", about = "a new secret, shown once; for a day both sign",
      run = query.plain(function(req) return answer(200, core.webhook.rotate(req.merchant, req.params.id)) end),
    },
    ["POST /v1/events/:id/redeliver"] = {
      auth = "merchant", about = "sends an event once more to every endpoint that takes it",
      run = query.plain(function(req)
        local event, text, code = core.webhook.redeliver(req.merchant, req.params.id)
        if event then return 200, event end
        if code == "E_NOTFOUND" then return missing "event" end
        if code == "E_STATE" then return problem { code = "INVALID_STATE", detail = text } end
        return problem { code = "UNAVAILABLE", detail = "try again" }
      end),
    },
  },
}
