-- scripts/lib/sandbox_doku.lua: DOKU's two doors as its simulator keeps them: who may come in, and the
-- shapes of refusals. For the simulator only; the channels share nothing with it.
local rules = {}

local FRESH_MS = 5 * 60000
local TOKEN_S = 900

local function table_or(value) return type(value) == "table" and value or {} end
rules.table_or = table_or

local function near(ctx, text)
  local at = type(text) == "string" and time.parse(text)
  return at and math.abs(ctx.now() - at) <= FRESH_MS
end

---- who calls ----

-- DOKU's customers: the configured one (account "") and each merchant with an account of its own, by its id;
-- nil: nobody has it. Of `private`, which signs its requests for a token, DOKU has the public half. DOKU itself
-- signs with one key, whomever it calls: in simulated mode that is the configured one, which is both sides'.
function rules.customer(ctx, client_id)
  if client_id == ctx.config.client_id then
    return { account = "", client_id = client_id, secret = ctx.config.secret_key, private = ctx.config.private_key }
  end
  for account, keys in sorted(client_id and ctx.accounts() or {}) do
    if keys.DOKU_CLIENT_ID and keys.DOKU_SECRET_KEY and crypto.equal(client_id, keys.DOKU_CLIENT_ID) then
      return { account = account, client_id = client_id, secret = keys.DOKU_SECRET_KEY, private = keys.DOKU_PRIVATE_KEY }
    end
  end
end

-- A customer's own name for something, as the books have it: two customers may use the same.
function rules.id(account, name) return (account == "" and "" or account .. " ") .. name end

-- Where DOKU's calls to it go, below which it hears what it hears at the root of the configured one.
function rules.home(account)
  local merchant = account:match "/(mer_%w+)$"
  return merchant and "/callbacks/doku/" .. merchant or ""
end

---- SNAP ----

function rules.say(http, service, case, message, more)
  local body = more or {}
  body.responseCode, body.responseMessage = ("%d%s%s"):format(http, service, case), message
  return reply(http, body)
end

-- A token for who signs with the merchant's key: `service` 73, or 74 for a payer's.
function rules.token(ctx, request, service)
  local h = request.headers
  if not h["x-timestamp"] or not h["x-client-key"] then return rules.say(400, service, "02", "Invalid Mandatory Field {X-CLIENT-KEY or X-TIMESTAMP}") end
  local caller = rules.customer(ctx, h["x-client-key"])
  if not caller then return rules.say(401, service, "00", "Unauthorized. Unknown client") end
  if not near(ctx, h["x-timestamp"]) then return rules.say(400, service, "01", "Invalid Field Format {X-TIMESTAMP}") end
  if not caller.private or not crypto.rsa_verify(crypto.public_key(caller.private), h["x-client-key"] .. "|" .. h["x-timestamp"], h["x-signature"]) then
    return rules.say(401, service, "00", "Unauthorized. Signature")
  end
  local want = table_or(json.decode(request.body))
  local grant = service == "73" and "client_credentials" or "authorization_code"
  if want.grantType ~= grant then return rules.say(400, service, "02", "Invalid Mandatory Field {grantType}") end
  if service == "74" and type(want.authCode) ~= "string" then return rules.say(400, service, "02", "Invalid Mandatory Field {authCode}") end
  local token = "doku-" .. crypto.uuid()
  ctx.store.put("token " .. token, json.encode { until_ms = ctx.now() + TOKEN_S * 1000, client_id = caller.client_id })
  if service == "74" then
    return rules.say(200, service, "00", "Successful", { accessToken = token, tokenType = "Bearer",
      accessTokenExpiryTime = time.format(ctx.now() + TOKEN_S * 1000, "iso", "WIB"), refreshToken = crypto.uuid() })
  end
  return rules.say(200, service, "00", "Successful", { accessToken = token, tokenType = "Bearer", expiresIn = TOKEN_S, additionalInfo = "" })
end

-- What is known of a token that lives.
function rules.kept_token(ctx, token)
  local kept = ctx.store.get("token " .. token)
  kept = kept and json.decode(kept)
  return kept and kept.client_id and kept.until_ms > ctx.now() and kept or nil
end

-- White space outside of texts goes; a machine of two states.
local function minified(text)
  local out, inside, skip = {}, false, false
  for i = 1, #text do
    local c = text:sub(i, i)
    if skip then
      skip = false
    elseif inside and c == "\\" then
      skip = true
    elseif c == '"' then
      inside = not inside
    end
    if inside or not c:find "[ \t\r\n]" then out[#out + 1] = c end
  end
  return table.concat(out)
end

-- The signature of a call, either way round: DOKU signs its own alike.
function rules.snap_signature(secret_key, method, path, token, body, at)
  local text = table.concat({ method, path, token, crypto.sha256(minified(body), "hex"), at }, ":")
  return crypto.hmac("sha512", secret_key, text, "base64")
end

-- The body of a call, and whose it is; else nil and the refusal, in the order that the standard has.
function rules.snap(ctx, request, service)
  local h = request.headers
  local token = (h.authorization or ""):match "^Bearer (%S+)$"
  local kept = token and rules.kept_token(ctx, token)
  if not kept then return nil, rules.say(401, service, "01", "Access Token Invalid (B2B)") end
  local caller = h["x-partner-id"] == kept.client_id and rules.customer(ctx, kept.client_id)
  if not caller then return nil, rules.say(401, service, "00", "Unauthorized. Unknown partner") end
  local at = h["x-timestamp"] or ""
  if not near(ctx, at) or not crypto.equal(h["x-signature"], rules.snap_signature(caller.secret, request.method, request.path, token, request.body, at)) then
    log.info("doku_signature", { path = request.path, why = near(ctx, at) and "it does not fit" or "X-TIMESTAMP is none, or too far from now" })
    return nil, rules.say(401, service, "00", "Unauthorized. Signature Not Match")
  end
  local body = json.decode(request.body)
  if type(body) ~= "table" then return nil, rules.say(400, service, "00", "Bad Request") end
  local id = h["x-external-id"]
  if not id then return nil, rules.say(400, service, "02", "Invalid Mandatory Field {X-EXTERNAL-ID}") end
  local once = rules.id(caller.account, time.day(ctx.now(), "WIB") .. " " .. id:sub(1, 150))
  if not ctx.once("external", once, "25h") then return nil, rules.say(409, service, "00", "Conflict") end
  return body, caller
end

function rules.field(service, name) return rules.say(400, service, "02", "Invalid Mandatory Field {" .. name .. "}") end
function rules.format(service, name) return rules.say(400, service, "01", "Invalid Field Format {" .. name .. "}") end

-- Rupiah of {"value":"10000.00","currency":"IDR"}; nil for anything else.
function rules.amount(amount)
  local a = table_or(amount)
  local text = type(a.value) == "string" and a.currency == "IDR" and a.value:match "^(%d+)%.00$"
  local n = text and #text <= 15 and math.tointeger(tonumber(text))
  return n and n > 0 and n or nil
end
function rules.money(n) return { value = money.format(n, "IDR", 2), currency = "IDR" } end

function rules.text(value, max) return type(value) == "string" and #value >= 1 and #value <= max and value or nil end

---- non-SNAP ----

local function component(caller, id, at, target, body, when)
  local text = "Client-Id:" .. caller.client_id .. "\nRequest-Id:" .. id .. "\n" .. when .. ":" .. at .. "\nRequest-Target:" .. target
  if body ~= "" then text = text .. "\nDigest:" .. crypto.base64(crypto.sha256(body, "raw")) end
  return "HMACSHA256=" .. crypto.base64(crypto.hmac("sha256", caller.secret, text, "raw"))
end

-- Headers of a call of DOKU's own to a customer's `path`.
function rules.plain_headers(ctx, caller, path, body)
  local id, at = crypto.uuid(), time.format(ctx.now(), "%Y-%m-%dT%H:%M:%SZ", "UTC")
  return { ["Client-Id"] = caller.client_id, ["Request-Id"] = id, ["Request-Timestamp"] = at, ["Content-Type"] = "application/json",
    ["Signature"] = component(caller, id, at, path, body, "Request-Timestamp") }
end

function rules.error(http, code, message) return reply(http, { error = { code = code, message = message, type = code } }) end

-- Whose call it is, nil where that is nobody; and the refusal.
function rules.plain(ctx, request)
  local h = request.headers
  local id, at = h["request-id"] or "", h["request-timestamp"] or ""
  local caller = rules.customer(ctx, h["client-id"])
  if not caller then return nil, rules.error(401, "invalid_client_id", "Invalid Header Client-Id") end
  if id == "" or #id > 128 then return caller, rules.error(400, "invalid_parameter", "Invalid Header Request-Id") end
  if not near(ctx, at) then return caller, rules.error(400, "invalid_parameter", "Invalid Header Request-Timestamp") end
  if not crypto.equal(h.signature, component(caller, id, at, request.path, request.body, "Request-Timestamp")) then
    log.info("doku_signature", { path = request.path, why = "it does not fit" })
    return caller, rules.error(401, "invalid_signature", "Invalid Header Signature")
  end
  if request.method ~= "GET" and not ctx.once("request", rules.id(caller.account, id), "25h") then
    return caller, rules.error(400, "duplicate_request_id", "Request-Id was used before")
  end
  return caller
end

-- What is answered is signed as well, to who is known.
function rules.signed(ctx, caller, request, answer)
  if not caller or type(answer.body) ~= "table" then return answer end
  local body, at = json.encode(answer.body), time.format(ctx.now(), "%Y-%m-%dT%H:%M:%SZ", "UTC")
  local id = request.headers["request-id"]
  return reply(answer.status, body, { ["Content-Type"] = "application/json", ["Client-Id"] = caller.client_id, ["Request-Id"] = id,
    ["Response-Timestamp"] = at, ["Signature"] = component(caller, id, at, request.path, body, "Response-Timestamp") })
end

return rules
