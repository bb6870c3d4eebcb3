-- scripts/lib/doku_talk.lua: how DOKU is talked to. It has two families of calls:
--   SNAP      an access token by RSA, then HMAC-SHA512 over method, path, token, body and time; what it
--             came to is a code in the body
--   non-SNAP  four headers and HMAC-SHA256 over them and the body's digest; what it came to is HTTP's status
-- Answers: body, HTTP status, case, code; or nil and why. `effect` calls return a decision first where the
-- answer is one already, else nil and the answer.
local snap = require "snap"
local talk = {}

talk.HOSTS = { sandbox = "api-sandbox.doku.com", staging = "api-sandbox.doku.com", production = "api.doku.com" }
talk.CONFIG = {
  client_id = "DOKU_CLIENT_ID",                 -- BRN-... or MCH-...
  secret_key = secret "DOKU_SECRET_KEY",        -- of both families' HMAC
  private_key = secret "DOKU_PRIVATE_KEY",      -- ours: signs requests for a token, and the tokens that we give
  doku_key = "DOKU_PUBLIC_KEY",                 -- DOKU's: what it signs when it asks us for a token
}

local TOKEN = "/authorization/v1/access-token/b2b"

local function url(ctx, path) return "https://" .. ctx.host() .. path end
local function body_of(answer)
  local body = answer:json()
  return type(body) == "table" and body or nil
end
local function said(answer, code) return "DOKU said " .. (code or "nothing that reads") .. " (HTTP " .. answer.status .. ")" end

---- SNAP ----

-- A token that DOKU does not take any more, before its time, is not asked for again: the next has
-- another name.
local function age_of(ctx) return ctx.store.get "token age" or "first" end
local function outlived(ctx, age)
  if age_of(ctx) ~= age then return end
  local kept, why = ctx.store.put("token age", crypto.uuid())
  if not kept then log.error("token_stays", { provider = "doku", error = why }) end -- it is used to its end
end

function talk.token_signature(private_key, client_id, timestamp)
  return crypto.rsa_sign(private_key, client_id .. "|" .. timestamp)
end

local function fetch_token(ctx)
  local at = snap.timestamp(ctx.now())
  local signature, why = talk.token_signature(ctx.config.private_key, ctx.config.client_id, at)
  if not signature then error(why) end
  local answer
  answer, why = ctx.http.post { url = url(ctx, TOKEN), json = { grantType = "client_credentials" },
    headers = { ["X-CLIENT-KEY"] = ctx.config.client_id, ["X-TIMESTAMP"] = at, ["X-SIGNATURE"] = signature } }
  if not answer then error(why) end
  local body = body_of(answer)
  local lives = body and math.tointeger(tonumber(body.expiresIn or 900)) -- a text in the standard, a number at DOKU
  if answer.status ~= 200 or not body or type(body.accessToken) ~= "string" or not lives then error(said(answer, (select(3, snap.code(body))))) end
  return body.accessToken, lives
end

-- A signed request; nil and why where there is no token to be had.
local function signed(ctx, method, path, what, more)
  local age = age_of(ctx)
  local good, token = pcall(ctx.token, "b2b " .. age, function() return fetch_token(ctx) end)
  if not good then return nil, "no access token: " .. tostring(token) end
  local body, at = json.encode(what), snap.timestamp(ctx.now())
  local headers = {
    ["Content-Type"] = "application/json", ["X-PARTNER-ID"] = ctx.config.client_id, ["X-EXTERNAL-ID"] = crypto.uuid(),
    ["X-TIMESTAMP"] = at, ["CHANNEL-ID"] = "H2H", ["X-SIGNATURE"] = snap.sign(ctx.config.secret_key, method, path, token, body, at),
  }
  for name, value in pairs(more or {}) do headers[name] = value end
  return { method = method, url = url(ctx, path), body = body, bearer = token, headers = headers }, age
end

local function token_gone(http, case) return http == 401 and (case == "01" or case == "03") end

-- A question: may be asked again.
function talk.ask(ctx, path, what)
  for _ = 1, 2 do
    local request, age = signed(ctx, "POST", path, what)
    if not request then return nil, age end
    local answer, why = ctx.http.post(request)
    if not answer then return nil, why end
    local body = body_of(answer)
    local http, case, code = snap.code(body)
    if not http then return nil, said(answer) end
    if not token_gone(http, case) then return body, http, case, code end
    outlived(ctx, age)
  end
  return nil, "DOKU does not take the token that it gave"
end

-- The one request that moves something. A decision, or nil, body, HTTP status, case, code.
function talk.effect(ctx, method, path, what, more)
  local request, age = signed(ctx, method, path, what, more)
  if not request then return not_created { message = age } end
  local answer, why, name, sent = ctx.http.effect(request)
  if not answer and sent == false then return not_created { message = why, code = name } end
  if not answer then return unknown { message = why, code = name } end
  local body = body_of(answer)
  local http, case, code = snap.code(body)
  if not http then return unknown { message = said(answer) } end
  if token_gone(http, case) then
    outlived(ctx, age)
    return not_created { message = "DOKU did not take the token", code = code }
  end
  if http == 429 then return not_created { message = "DOKU wants us slower", code = code } end
  local category = snap.failure(http, case)
  if category then return failed { category = category, code = code, message = body.responseMessage, final = true } end
  return nil, body, http, case, code
end

---- non-SNAP ----

-- What is signed; the digest is nil where there is no body. `when` names the time: that of the request,
-- or of an answer.
function talk.component(client_id, request_id, timestamp, target, digest, when)
  local text = "Client-Id:" .. client_id .. "\nRequest-Id:" .. request_id .. "\n" .. (when or "Request-Timestamp") .. ":" .. timestamp
    .. "\nRequest-Target:" .. target
  return digest and text .. "\nDigest:" .. digest or text
end
function talk.digest(body) return crypto.sha256(body, "base64") end
function talk.signature(secret_key, component) return "HMACSHA256=" .. crypto.hmac("sha256", secret_key, component, "base64") end

local function plain(ctx, method, path, what, request_id)
  local body, at = what and json.encode(what), time.format(ctx.now(), "%Y-%m-%dT%H:%M:%SZ", "UTC")
  local component = talk.component(ctx.config.client_id, request_id, at, path, body and talk.digest(body))
  return { method = method, url = url(ctx, path), body = body, headers = { ["Content-Type"] = body and "application/json" or nil,
    ["Client-Id"] = ctx.config.client_id, ["Request-Id"] = request_id, ["Request-Timestamp"] = at,
    ["Signature"] = talk.signature(ctx.config.secret_key, component) } }
end

-- Body and HTTP status of a GET; nil and why.
function talk.get(ctx, path)
  local answer, why = ctx.http.get(plain(ctx, "GET", path, nil, crypto.uuid()))
  if not answer then return nil, why end
  return body_of(answer), answer.status
end

-- HTTP's status is DOKU's word only beside a body of its own: a proxy says 404 as well.
local REFUSED = { [401] = "UNAUTHORIZED_AT_PROVIDER", [403] = "UNAUTHORIZED_AT_PROVIDER", [404] = "INVALID_REQUEST" }

local function words_of(body)
  local inner = type(body.error) == "table" and body.error or body
  local message = type(inner.message) == "table" and inner.message[1] or inner.message
  return type(message) == "string" and message or nil, type(inner.code) == "string" and inner.code or nil
end

-- A decision, or nil, body, HTTP status. 400 is left to the caller: it may mean that the invoice is known.
function talk.plain_effect(ctx, path, what, request_id, wait)
  local request = plain(ctx, "POST", path, what, request_id)
  request.timeout = wait
  local answer, why, name, sent = ctx.http.effect(request)
  if not answer and sent == false then return not_created { message = why, code = name } end
  if not answer then return unknown { message = why, code = name } end
  local body = body_of(answer)
  if not body then return unknown { message = said(answer) } end
  if answer.status == 429 then return not_created { message = "DOKU wants us slower" } end
  local message, code = words_of(body)
  if REFUSED[answer.status] then
    return failed { category = REFUSED[answer.status], code = code or tostring(answer.status), message = message, final = true }
  end
  if answer.status >= 500 then return unknown { message = said(answer, code) } end
  return nil, body, answer.status, code or tostring(answer.status), message
end

-- Whether it was refused because the same one came before: a twin on the way, whose answer we did not get. DOKU
-- does not document the words; that they name a duplicate is from memory.
function talk.twin(status, code, message)
  local words = (tostring(code) .. " " .. tostring(message)):lower()
  return status == 409 or status == 400 and (words:find "duplicat" or words:find "request%-id was used") and true or false
end

return talk
