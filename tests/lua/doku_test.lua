-- The DOKU channels: signatures against the reference, answers that it names as decisions, and what DOKU
-- tells, with a core that is written down here.
local notify = require "doku_notify"
local snap = require "snap"
local talk = require "doku_talk"

local ALL = { "bca_va", "mandiri_va", "bsi_va", "bri_va", "bni_va", "permata_va", "cimb_va", "danamon_va", "va", "qris", "dana", "shopeepay",
  "card", "alfamart", "ovo" }
local REFUNDS = { qris = true, dana = true, shopeepay = true, card = true }
local HOST = "https://api-sandbox.doku.com"
local function path(name) return "channels/doku_" .. name .. ".lua" end
local function op(reference, more)
  local o = { id = "op_" .. reference, kind = "create", account = "doku", reference = reference, status = "sending", input = { amount = 150000, phone = "081234567890" } }
  for name, value in pairs(more or {}) do o[name] = value end
  return o
end
local function answers(t, what, known) -- a token first, where one is asked for
  if not known then t.http.answer { url = HOST .. "/authorization/v1/access-token/b2b", json = { responseCode = "2007300", accessToken = "tok", expiresIn = 900 } } end
  t.http.answer(what)
end

---- a core that is written down ----

-- examples/keys/demo.pem: both sides' in simulated mode.
local PEM = [[-----BEGIN PRIVATE KEY-----
MIIEvAIBADANBgkqhkiG9w0BAQEFAASCBKYwggSiAgEAAoIBAQDF+h78EtARypTw
nW9yLFXQNejIfCL5tVPk3gDPV34lq2+RSzqzJkhwOuDxJVLoPX4TLLA8KnsJWWyn
vnqaY91AQ98ep7XFZjO2/0ounlWBTknUPXR7afdiQ03PmktQvmvVvdGq97gK4TqA
SYAWyToB4ospETjO1evPBk2mMNgqfoz3kPP6w5BhJgtnZt8ePcTIBDL2ChyT835N
jASE4yrUvVAYDGkX0U8G8aYwaBNEETiyql7J8QCOEG1M0Shz/kiD83KE/vuW/l5R
zhT3eGl+INQSneNuGsN12rTVT70a2xU3WEENFdVGAJKAXErm4pzhJpP6UKUmziLB
Gp/bU3InAgMBAAECggEAOkCf6FTSw0Fj9K6mUaZo85RBM+iO1AG+Nyv5egjI9eWN
NOe5VGhRzTAN6var/+jEFXlDO9jWDgixd2QNKCt1OQkfeCIp0nUBh3lzhucQyrTR
9XDFuuCRqWibVxgTzCTTjvdE37T3AsCF2aSG222HM3HIt6M5H2cDdQ1qQJnDqTDB
KYT+PX/AE4HqYl5TO0Fxf4FRAZV0Q5bu1d8WBHXZeWK48pB3Z6uuNWro6mvy4dgQ
J5EPSlQbMGSx9RSfoGNRnUCyizWUBgQXBI8uvJRW4WlZSI4sIodeuD03rHGdEcDW
RhuA4BWoLILdTzJgQiAA/Gy4n80DhHlYj6wc+mX9tQKBgQD6NH7/7ag4rqBN1oHV
9fO4DIKWt8F0CcuFq/tsKXgryeWBM3M/h8UR8y9fJyUYmPcwOtPGlR+8ZYgnXIGI
XcqoDSZjtKJ+jiF4PCtKpvTGDL3yCgVxX0pjDe+NAltqXx6D4LDiombPWv24fvXF
IZzskhT29nu0A0qAXaXtTZhx7QKBgQDKj/T+7IxsUUx24FVEL65zILjPY4yIKO+y
a0gtoJecGlONX8OIJkX5y47X6Iu0m/ESPLuB8dLRurRvu7f7aM9PShrE77ra29E4
8TLHtzTjXJEsID8ePxBmyI1wCNYTFdN3wCGhc2D3PwndDSkCuiaCbelyhrAC+zYX
UdmfivaB4wKBgFKqh49dYSghIhu1lL4xfe3ATGEpo0QIfHLUyMQKy4aENUzDx/8k
h4sPswYYM9x1pa4Msa251Xt0fFCs8qsweeWeOqHUq59urEZCcvc+RD8vNI7EmtnD
ZxtlHlGThsqVVMqzsR2gFKHL6WpMoD0ahvNurHiQJXzrXXEd/9Vwvr5dAoGAE8Jx
OsDmfdZ8aAhAKROhp9dkT869MbcUksoGU3Ub9P1Ycy0JTOm238QsngEwR6ECpi3I
eMeXMiBNY6zjKKIzvt9Sty1Pg/P3d9+HfZXwkdFA1BYdMh0iw3QC4A/smhYB9+eF
IFO5/MRoeOjEvGBeS1Dfee2Lk+7feuzgFsEehNMCgYAdsG+A0wYhApk/DQvak4fN
BwSbSZCqJUD9yeI0pncggmjcUoHczNtZ4LdIB4mDDYEv0jLBShcbS1kFt7sUf6HH
hnLIIqMeMKcZW+GfqJwS4P3bztRmus/GS4tMpC0fuS25EN2er5JX5X8dvXwdhv7Q
3hhJ9McIToyJBnJ6keKdYQ==
-----END PRIVATE KEY-----]]
local KEYS = { client_id = "BRN-demo", secret_key = "SK-demo" }
local NOW = 1767326645000 -- 2026-01-02T04:04:05Z

local function world(more)
  local w = { once = {}, settled = nil, unverified = false }
  for name, value in pairs(more or {}) do w[name] = value end
  w.ctx = {
    config = { client_id = KEYS.client_id, secret_key = KEYS.secret_key, private_key = w.pem, doku_key = w.pem and crypto.public_key(w.pem) },
    now = function() return w.now or NOW end,
    url = function(p) return w.public and w.public .. p end,
    verify = function(fact) if fact ~= true then w.unverified = true; error "unverified" end end,
    once = function(scope, key)
      local name = scope .. "/" .. key
      local first = not w.once[name]
      w.once[name] = true
      return first
    end,
    find = function() return not w.strange and { reference = "r1" } or nil end,
    settle = function(what) w.settled = what; return w.verdict or "applied" end,
  }
  return w
end
local function hear(w, request)
  request.query, request.method = request.query or "", request.method or "POST"
  w.settled, w.unverified = nil, false
  local good, answer = pcall(notify.hear, w.ctx, request)
  if not good and not w.unverified then error(answer) end
  w.status, w.body = good and answer.status or 401, good and answer.body or nil
  return w
end

---- non-SNAP ----

local function note(more)
  local n = { service = { id = "CREDIT_CARD" }, channel = { id = "CREDIT_CARD" }, order = { invoice_number = "r1", amount = 150000 },
    transaction = { status = "SUCCESS", date = "2026-01-02T04:00:00Z", original_request_id = "x" } }
  for name, value in pairs(more or {}) do n[name] = value end
  return n
end
local function signed(body, more)
  more = more or {}
  if type(body) == "table" then body = json.encode(body) end
  local at = more.at or "2026-01-02T04:04:05Z"
  local p = more.path or "/callbacks/doku"
  local component = talk.component(KEYS.client_id, "req-1", at, more.target or p, talk.digest(body))
  local signature = talk.signature(more.key or KEYS.secret_key, component)
  if more.unpadded then signature = signature:gsub("=+$", "") end
  return { path = p, query = more.query, body = more.body or body, headers = { ["client-id"] = more.client or KEYS.client_id, ["request-id"] = "req-1",
    ["request-timestamp"] = at, signature = more.signature or signature } }
end

---- SNAP ----

local VA_NOTE = { partnerServiceId = "   19008", customerNo = "00000001", virtualAccountNo = "   1900800000001", trxId = "r1", paymentRequestId = "p-1",
  paidAmount = { value = "150000.00", currency = "IDR" }, trxDateTime = "2026-01-02T11:00:00+07:00" }
local AT = "2026-01-02T11:04:05+07:00"

local function token_of(w, more)
  more = more or {}
  local at = more.at or AT
  local request = { path = more.path or "/authorization/v1/access-token/b2b", body = "{}", headers = { ["x-client-key"] = more.client or KEYS.client_id,
    ["x-timestamp"] = at, ["x-signature"] = crypto.rsa_sign(w.pem, KEYS.client_id .. "|" .. (more.signed_at or at)) } }
  request.method, request.query = "POST", ""
  return notify.ROUTES["POST /authorization/v1/access-token/b2b"](w.ctx, request)
end
local function told(w, body, more)
  more = more or {}
  local p, at = more.path or "/v1/transfer-va/payment", more.at or AT
  if type(body) == "table" then body = json.encode(body) end
  local token = more.token or token_of(w).body.accessToken
  local request = { path = p, query = "", method = "POST", body = more.body or body, headers = { authorization = "Bearer " .. token, ["x-timestamp"] = at,
    ["x-external-id"] = more.id or "e-1", ["x-signature"] = snap.sign(more.key or KEYS.secret_key, "POST", more.signed_path or p, token, body, at) } }
  w.settled, w.unverified = nil, false
  local answer = notify.ROUTES["POST " .. (more.route or p)](w.ctx, request)
  w.status, w.body = answer.status, answer.body
  return w
end

return { tests = {
  ["each declares what the contract wants"] = function(t)
    for _, name in ipairs(ALL) do
      local channel = t.load(path(name))
      t.equal(channel.provider, "doku", name)
      t.equal(channel.effect, name == "ovo" and "charge" or "offer", name)
      t.equal(channel.amounts, "closed", name)
      t.equal(channel.lookup, "ours", name)
      t.equal(channel.refund ~= nil, REFUNDS[name] or false, name)
      t.truthy(channel.routes["POST /v1/transfer-va/payment"], name)
      t.truthy(channel.docs.certainty, name)
    end
  end,

  ["the vectors of the reference"] = function(t)
    local body = '{"order":{"amount":20000,"invoice_number":"INV-EX-1"}}'
    t.equal(talk.digest(body), "b9OUf+vTQTVZc3GFjyhlVTEjpDxQYyFmLoK1OUNk9T4=")
    local component = talk.component("BRN-0001-EXAMPLE", "req-0001", "2026-01-02T03:04:05Z", "/checkout/v1/payment", talk.digest(body))
    t.equal(component, "Client-Id:BRN-0001-EXAMPLE\nRequest-Id:req-0001\nRequest-Timestamp:2026-01-02T03:04:05Z\n"
      .. "Request-Target:/checkout/v1/payment\nDigest:b9OUf+vTQTVZc3GFjyhlVTEjpDxQYyFmLoK1OUNk9T4=")
    t.equal(talk.signature("SK-example", component), "HMACSHA256=UIfRV2CQai0JCqTCLVr1SuwyO9283HsD/RcHuPRdBNg=")
    t.equal(snap.hash '{"partnerReferenceNo":"INV-EX-1","amount":{"value":"20000.00","currency":"IDR"}}',
      "b5d58644bbbe8bbd1a25747e01528a85daf4765c56b0c783ba0990d6d134066d")
    t.equal(snap.sign("SK-example", "POST", "/snap-adapter/b2b/v1.0/qr/qr-mpm-generate", "TOKEN1",
      '{"partnerReferenceNo":"INV-EX-1","amount":{"value":"20000.00","currency":"IDR"}}', "2026-01-02T10:04:05+07:00"),
      "NSzFuXyZHNnD+AtXTsMoShgM1TO//zIfmpcmtfyrRVWcOGnlLtWHuMqbsjMoNOpBYesdKyyZU2J3PVgf2B9yaQ==")
    t.equal(crypto.sha256({ "10000", "BRN-0001-EXAMPLE", "INV-EX-1", "081234567890", "SK-example" }, "hex"),
      "083a938facfb9b98b553fb6ff61e35888cdde1dd62a6a3ea48220c0a136d6158")
  end,

  ["a SNAP request is what DOKU documents"] = function(t)
    answers(t, { method = "POST", json = { responseCode = "5002700" } })
    t.call(path "bca_va", "create", op("r1", { expires_at = time.parse "2027-01-01T00:00:00+07:00", input = { amount = 150000, expires_in = 366 * 86400,
      customer = { name = "Ani & Co", email = "ani@example.com", phone = "0812-3456-7890" } } }))
    local token, sent = t.http.requests()[1], t.http.requests()[2]
    t.equal(token.url, HOST .. "/authorization/v1/access-token/b2b")
    t.equal(json.decode(token.body), { grantType = "client_credentials" })
    t.equal(token.headers["x-client-key"], "BRN-demo")
    t.equal(sent.method .. " " .. sent.url, "POST " .. HOST .. "/virtual-accounts/bi-snap-va/v1.1/transfer-va/create-va")
    t.equal(sent.headers.authorization, "Bearer tok")
    t.equal(sent.headers["x-partner-id"], "BRN-demo")
    t.equal(sent.headers["channel-id"], "H2H")
    t.equal(#sent.headers["x-external-id"], 36)
    t.truthy(sent.headers["x-timestamp"]:find "^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d%+07:00$")
    t.equal(sent.headers["x-signature"], snap.sign("SK-demo", "POST", "/virtual-accounts/bi-snap-va/v1.1/transfer-va/create-va", "tok", sent.body,
      sent.headers["x-timestamp"]))
    local body = json.decode(sent.body)
    t.truthy(body.customerNo:find "^%d%d%d%d%d%d%d%d$")
    t.equal(body.virtualAccountNo, "   19008" .. body.customerNo)
    t.equal(body.partnerServiceId, "   19008")
    t.equal(body.virtualAccountName, "Ani   Co")
    t.equal(body.virtualAccountPhone, "6281234567890")
    t.equal(body.totalAmount, { value = "150000.00", currency = "IDR" })
    t.equal(body.virtualAccountTrxType, "C")
    t.equal(body.expiredDate, "2027-01-01T00:00:00+07:00")
    t.equal(body.additionalInfo, { channel = "VIRTUAL_ACCOUNT_BCA", virtualAccountConfig = { reusableStatus = false } })
  end,

  ["a non-SNAP request is what DOKU documents"] = function(t)
    t.http.answer { method = "POST", json = { message = { "SUCCESS" }, credit_card_payment_page = { url = "https://x/p" } } }
    local d = t.call(path "card", "create", op("r1", { payment = "pay_1", input = { amount = 150000,
      return_urls = { success = "https://shop.example/ok", failure = "https://shop.example/no" } } }))
    t.equal(t.kind(d) .. " " .. d.redirect_url, "pending https://x/p")
    local sent = t.http.requests()[1]
    t.equal(sent.url, HOST .. "/credit-card/v1/payment-page")
    t.equal(sent.headers["client-id"], "BRN-demo")
    t.equal(sent.headers["request-id"], "op_r1", "the operation's own, so that a second one is refused")
    local component = talk.component("BRN-demo", "op_r1", sent.headers["request-timestamp"], "/credit-card/v1/payment-page", talk.digest(sent.body))
    t.equal(sent.headers.signature, talk.signature("SK-demo", component))
    local body = json.decode(sent.body)
    t.equal(body.order, { invoice_number = "r1", amount = 150000, callback_url = "https://shop.example/ok", failed_url = "https://shop.example/no", auto_redirect = true })
    t.equal(body.payment, { type = "SALE" })
    t.equal(body.card, nil)
  end,

  ["what SNAP says to a create, as a decision"] = function(t)
    local cases = { { "4002702", "failed", "INVALID_REQUEST" }, { "4012700", "failed", "UNAUTHORIZED_AT_PROVIDER" }, { "4032702", "failed", "LIMIT_EXCEEDED" },
      { "4032703", "failed", "FRAUD_DETECTED" }, { "4012701", "not_created" }, { "4292700", "not_created" }, { "5002700", "unknown" }, { "5042700", "unknown" },
      { "2002700", "unknown" }, { "nonsense", "unknown" } }
    for i, case in ipairs(cases) do
      answers(t, { method = "POST", json = { responseCode = case[1], responseMessage = "x" } }, i > 1 and cases[i - 1][1] ~= "4012701")
      local d = t.call(path "bca_va", "create", op("c" .. i))
      t.equal(t.kind(d), case[2], case[1])
      t.equal(d.category, case[3], case[1])
    end
    for status in pairs { [401] = true, [404] = true, [500] = true, [200] = true } do
      answers(t, { method = "POST", status = status, body = "<html>" }, true)
      t.equal(t.kind(t.call(path "bca_va", "create", op("h" .. status))), "unknown", "HTTP " .. status)
    end
    for fail, kind in pairs { timeout = "unknown", reset = "unknown", refused = "not_created" } do
      answers(t, { method = "POST", fail = fail }, true)
      t.equal(t.kind(t.call(path "bca_va", "create", op("f" .. fail))), kind, fail)
    end
  end,

  ["after 409 that it is not found yet proves nothing: a twin may be on its way"] = function(t)
    answers(t, { method = "POST", status = 409, json = { responseCode = "4095400", responseMessage = "Conflict" } })
    t.http.answer { method = "POST", status = 404, json = { responseCode = "4045501", responseMessage = "Transaction Not Found" } }
    t.equal(t.kind(t.call(path "dana", "create", op "d409")), "unknown")
  end,

  ["without a token nothing is sent"] = function(t)
    t.http.answer { status = 401, json = { responseCode = "4017300", responseMessage = "Unauthorized. Signature" } }
    local d = t.call(path "qris", "create", op "n1")
    t.equal(t.kind(d), "not_created")
    t.equal(#t.http.requests(), 1)
  end,

  ["a token that DOKU takes no more is fetched anew"] = function(t)
    answers(t, { method = "POST", json = { responseCode = "4015501", responseMessage = "Access Token Invalid (B2B)" } })
    answers(t, { method = "POST", json = { responseCode = "2005500", originalPartnerReferenceNo = "r1", latestTransactionStatus = "03" } })
    t.equal(t.kind(t.call(path "dana", "inquire", op("r1", { status = "pending" }))), "pending")
    t.equal(#t.http.requests(), 4)
  end,

  ["that a request came before is no answer to it: its twin may have moved money"] = function(t)
    local function create(code)
      t.http.answer { method = "POST", status = 400, json = { error = { code = code, message = code } } }
      t.http.answer { status = 404, json = { error = { message = "x" } } }
      return t.kind(t.call(path "card", "create", op("tw-" .. code)))
    end
    t.equal(create "duplicate_request_id", "unknown")
    t.equal(create "invalid_parameter", "failed")
    local twin = require("doku_talk").twin
    t.equal(twin(400, "x", "Request-Id was used before"), true)
    t.equal(twin(409, "x", nil), true)
    t.equal(twin(400, "invalid_parameter", nil), false)
  end,

  ["there is room for as many accounts as there are numbers"] = function(t)
    local seen = {}
    for i = 1, 1001 do -- a provider's own store takes 1,000 rows
      answers(t, { method = "POST", fail = "refused" }, i > 1)
      local d = t.call(path "bca_va", "create", op("m" .. i))
      if t.kind(d) ~= "not_created" then t.fail(i .. ": " .. t.kind(d)) end
    end
    answers(t, { method = "POST", fail = "timeout" }, true)
    t.equal(t.kind(t.call(path "bca_va", "create", op "last")), "unknown")
    for _, request in ipairs(t.http.requests()) do
      local body = json.decode(request.body)
      if body.customerNo then
        t.equal(seen[body.customerNo], nil, "a number of its own")
        seen[body.customerNo] = true
      end
    end
    t.equal(store.select("SELECT count(*) AS n FROM kv")[1].n, 0, "nothing grows beside it")
  end,

  ["a number stays its order's: tried again, in another account, cancelled, and after its time"] = function(t)
    local channel = path "bni_va"
    local function made(o, known)
      answers(t, { method = "POST", fail = "refused" }, known)
      t.equal(t.kind(t.call(channel, "create", o)), "not_created")
      local all = t.http.requests()
      return json.decode(all[#all].body).customerNo
    end
    local ends = t.clock.now() + 86400000
    local first = made(op("s1", { expires_at = ends }), false)
    t.equal(made(op("s1", { expires_at = ends }), true), first, "the same once more")
    t.equal(made(op("s1", { account = "doku/mer_2" }), true) ~= first, true, "of a merchant's own account")
    local cancel = op("s1-c", { kind = "cancel", expires_at = ends, input = { reference = "s1" } })
    t.http.answer { method = "DELETE", json = { responseCode = "2002700" } }
    t.equal(t.kind(t.call(channel, "cancel", cancel)), "success")
    local all = t.http.requests()
    t.equal(json.decode(all[#all].body).customerNo, first)
    local never = op("s2", { expires_at = ends })
    t.equal(t.kind(t.call(channel, "inquire", never)), "not_created", "none is reserved: nothing was sent")
    never.expires_at = t.clock.now() - 31 * 86400000
    t.equal(t.kind(t.call(channel, "inquire", never)), "unknown", "it may have been, and its number is another's by now")
  end,

  ["a number is ours before it is sent, and is asked about"] = function(t)
    t.equal(t.kind(t.call(path "bri_va", "inquire", op "q1")), "not_created", "never sent")
    answers(t, { method = "POST", fail = "timeout" })
    t.equal(t.kind(t.call(path "bri_va", "create", op "q1")), "unknown")
    local number = json.decode(t.http.requests()[2].body).customerNo
    local function status(data, o)
      t.http.answer { method = "POST", json = data }
      return t.call(path "bri_va", "inquire", op("q1", o))
    end
    local function va(more)
      local data = { virtualAccountNo = "   13925" .. number, paidAmount = { value = "150000.00", currency = "IDR" } }
      for name, value in pairs(more) do data[name] = value end
      return { responseCode = "2002600", virtualAccountData = data }
    end
    local d = status(va { paymentFlagReason = { english = "Pending" } })
    t.equal(t.kind(d) .. " " .. d.va_number, "pending 13925" .. number)
    d = status(va { paymentFlagStatus = "00" })
    t.equal(t.kind(d) .. " " .. d.amount, "success 150000")
    d = status(va { paymentFlagReason = { english = "Success" } })
    t.equal(t.kind(d) .. " " .. d.amount, "success 150000")
    t.equal(t.kind(status(va { paymentFlagStatus = "02" })), "unknown")
    t.equal(t.kind(status(va { paymentFlagReason = { english = "Berhasil?" } })), "unknown")
    t.equal(t.kind(status(va { paymentFlagStatus = "00", paidAmount = { value = "0.50", currency = "IDR" } })), "unknown")
    t.equal(t.kind(status(va { paymentFlagStatus = "00", virtualAccountNo = "   1392599" })), "unknown", "another's")
    t.equal(t.kind(status({ responseCode = "4042612" })), "not_created")
    t.equal(t.kind(status({ responseCode = "4042612" }, { status = "pending" })), "unknown", "it was seen: that proves nothing")
    t.equal(t.kind(status({ responseCode = "4042619" }, { status = "pending" })), "expired")
    t.equal(t.kind(status({ responseCode = "5002600" }, { status = "pending" })), "unknown")
  end,

  ["what a wallet's status says, as a decision"] = function(t)
    local words = { ["00"] = "success", ["01"] = "pending", ["02"] = "processing", ["03"] = "pending", ["04"] = "success", ["05"] = "cancelled",
      ["06"] = "failed", ["07"] = "unknown", ["99"] = "unknown" }
    local known = false
    for word, kind in pairs(words) do
      answers(t, { method = "POST", json = { responseCode = "2005500", originalPartnerReferenceNo = "r1", latestTransactionStatus = word,
        transAmount = { value = "150000.00", currency = "IDR" } } }, known)
      known = true
      local d = t.call(path "dana", "inquire", op("r1", { status = "pending" }))
      t.equal(t.kind(d), kind, word)
      if kind == "success" then t.equal(d.amount, 150000) end
    end
    t.http.answer { method = "POST", json = { responseCode = "2005500", originalPartnerReferenceNo = "another", latestTransactionStatus = "00",
      transAmount = { value = "150000.00", currency = "IDR" } } }
    t.equal(t.kind(t.call(path "dana", "inquire", op("r1", { status = "pending" }))), "unknown")
    t.http.answer { method = "POST", json = { responseCode = "2005100", originalPartnerReferenceNo = "r1", latestTransactionStatus = "00",
      amount = { value = 150000, currency = "IDR" } } }
    t.equal(t.call(path "qris", "inquire", op("r1", { status = "pending" })).amount, 150000, "a number at QRIS")
  end,

  ["what an order's status says, as a decision"] = function(t)
    local words = { SUCCESS = "success", PENDING = "pending", REDIRECT = "pending", TIMEOUT = "processing", FAILED = "pending", EXPIRED = "expired",
      REFUNDED = "success", NEW = "unknown" }
    for word, kind in pairs(words) do
      t.http.answer { json = { order = { invoice_number = "r1", amount = 150000 }, transaction = { status = word } } }
      t.equal(t.kind(t.call(path "card", "inquire", op("r1", { status = "pending" }))), kind, word)
    end
    t.http.answer { json = { order = { invoice_number = "r1", amount = 150000 }, transaction = { status = "FAILED" }, ovo_payment = { response_code = "51" } } }
    local d = t.call(path "ovo", "inquire", op("r1", { status = "unknown" }))
    t.equal(t.kind(d) .. " " .. d.category, "failed INSUFFICIENT_BALANCE", "a push has one try")
    t.http.answer { json = { order = { invoice_number = "r1", amount = 5 }, transaction = { status = "PENDING" } } }
    t.equal(t.call(path "card", "inquire", op("r1", { status = "pending" })).category, "DUPLICATE_TRANSACTION", "another's invoice")
    t.http.answer { json = { order = { invoice_number = "another", amount = 150000 }, transaction = { status = "SUCCESS" } } }
    t.equal(t.kind(t.call(path "card", "inquire", op("r1", { status = "pending" }))), "unknown")
    t.http.answer { status = 404, json = { error = { message = "x" } } }
    t.equal(t.kind(t.call(path "card", "inquire", op("r1", { status = "pending" }))), "unknown", "it was seen")
    t.http.answer { status = 404, body = "<html>" }
    t.equal(t.kind(t.call(path "card", "inquire", op "r1")), "unknown", "a proxy's 404 is not DOKU's")
  end,

  ["an invoice that was used is asked about"] = function(t)
    local first = t.call(path "alfamart", "create", op "twice")
    t.equal(t.kind(first), "pending")
    t.equal(t.kind(t.call(path "alfamart", "create", op "twice")), "pending", "ours: found again")
    local other = t.call(path "alfamart", "create", op("twice", { id = "op_other" }))
    t.equal(t.kind(other) .. " " .. other.category, "failed DUPLICATE_TRANSACTION")
  end,

  ["OVO's answer is the result, and a strange one is not"] = function(t)
    local function said(ovo, order)
      t.http.answer { method = "POST", json = { order = order or { invoice_number = "r1", amount = 150000 }, ovo_payment = ovo } }
      return t.call(path "ovo", "create", op "r1")
    end
    t.equal(said({ status = "SUCCESS", response_code = "00" }).amount, 150000)
    t.equal(said({ status = "SUCCESS" }, { invoice_number = "r1", amount = json.null }).amount, nil)
    t.equal(t.kind(said { status = "TIMEOUT" }), "unknown")
    t.equal(t.kind(said {}), "unknown")
    local d = said { status = "FAILED", response_code = "17" }
    t.equal(t.kind(d) .. " " .. d.category, "failed USER_CANCELLED")
    t.equal(t.kind(said({ status = "SUCCESS" }, { invoice_number = "r2", amount = 1 })), "unknown")
    local sent = json.decode(t.http.requests()[1].body)
    t.equal(sent.ovo_info.ovo_id, "081234567890")
    t.equal(sent.security.check_sum, crypto.sha256({ "150000", "BRN-demo", "r1", "081234567890", "SK-demo" }, "hex"))
  end,

  ["a notification is believed once it is signed, whole and fresh"] = function(t)
    local w = world()
    hear(w, signed(note()))
    t.equal(w.status, 200)
    t.equal(w.settled, { reference = "r1", status = "success", amount = 150000, paid_at = time.parse "2026-01-02T04:00:00Z" })
    t.equal(hear(w, signed(note(), { unpadded = true })).status, 200, "DOKU prints some without =")
    local bad = {
      ["another key"] = { key = "SK-other" }, ["another client"] = { client = "BRN-other" }, ["another path"] = { target = "/callbacks/other" },
      ["another body"] = { body = json.encode(note { order = { invoice_number = "r1", amount = 1 } }) }, ["too old"] = { at = "2026-01-01T15:00:00Z" },
      ["from the future"] = { at = "2026-01-02T04:20:00Z" }, ["no time"] = { at = "yesterday" }, ["no scheme"] = { signature = "UIfRV2CQai0=" },
      ["none"] = { signature = "" },
    }
    for name, more in pairs(bad) do
      hear(w, signed(note(), more))
      t.equal(tostring(w.unverified) .. " " .. w.status, "true 401", name)
      t.equal(w.settled, nil, name)
    end
    t.equal(hear(w, signed(note(), { at = "2026-01-01T16:00:00Z" })).status, 200, "its last repeat comes after 12 hours")
    t.equal(hear(w, signed(note(), { query = "a=b", target = "/callbacks/doku?a=b" })).status, 200)
    t.equal(hear(world { public = "https://pay.example/behind" }, signed(note(), { target = "/behind/callbacks/doku" })).status, 200)
    t.equal(hear(world { verdict = "not_found" }, signed(note())).status, 503)
    t.equal(hear(world { verdict = "duplicate" }, signed(note())).status, 200)
  end,

  ["what a notification says, as what is settled"] = function(t)
    local function settled(more, body)
      local w = hear(world(), signed(body or note(more)))
      return w.settled, w.status
    end
    local function status(word) return { transaction = { status = word } } end
    t.equal(settled(status "EXPIRED").status, "expired")
    for _, word in ipairs { "FAILED", "PENDING", "REDIRECT", "TIMEOUT", "REFUNDED", "NEW" } do
      local what, code = settled(status(word))
      t.equal(what, nil, word .. ": the invoice may still be paid, or it is no news")
      t.equal(code, 200, word)
      t.equal(hear(world { strange = true }, signed(note(status(word)))).status, 503, word .. " of what is nobody's is told again")
    end
    local ovo = settled { transaction = { status = "FAILED" }, channel = { id = "EMONEY_OVO" }, ovo_payment = { response_code = "68" } }
    t.equal({ ovo.status, ovo.category }, { "failed", "TIMEOUT" })
    t.equal(settled(nil, '{"order":{"invoice_number":"r1","amount":6000.00},"transaction":{"status":"SUCCESS"}}').amount, 6000)
    local va = settled { virtual_account_payment = { identifer = { { name = "REQUEST_ID", value = "p-9" } } } }
    t.equal(va.money_id, "p-9")
    for _, amount in ipairs { "6000.50", "0", "-5", '"x"', "{}", "1e3" } do
      local what, code = settled(nil, '{"order":{"invoice_number":"r1","amount":' .. amount .. '},"transaction":{"status":"SUCCESS"}}')
      t.equal(what, nil, amount)
      t.equal(code, 400, amount)
    end
    for _, body in ipairs { "[]", "{}", '{"order":{}}', '{"order":{"invoice_number":"r1"}}', "x", "", '{"order":{"invoice_number":5},"transaction":{}}' } do
      local what, code = settled(nil, body)
      t.equal(what, nil, body)
      t.equal(code, 400, body)
    end
  end,

  ["SNAP: DOKU gets a token from us, and tells with it"] = function(t)
    local w = world { pem = PEM }
    local given = token_of(w)
    t.equal(given.status .. " " .. given.body.responseCode, "200 2007300")
    t.equal(given.body.expiresIn, 900)
    for name, more in pairs { ["another client"] = { client = "BRN-x" }, ["another time is signed"] = { signed_at = "2026-01-02T11:04:06+07:00" },
      ["too old"] = { at = "2026-01-02T10:50:00+07:00" }, ["no time"] = { at = "x" } } do
      t.equal(token_of(w, more).body.responseCode, "4017300", name)
    end
    told(w, VA_NOTE)
    t.equal(w.status .. " " .. w.body.responseCode, "200 2002700")
    t.equal(w.body.virtualAccountData.trxId, "r1")
    t.equal(w.settled, { reference = "r1", status = "success", amount = 150000, money_id = "p-1", paid_at = time.parse "2026-01-02T04:00:00Z" })
    t.equal(told(w, VA_NOTE).status, 200, "the same once more: the core knows it")
    local function changed(more)
      local n = {}
      for name, value in pairs(VA_NOTE) do n[name] = value end
      for name, value in pairs(more) do n[name] = value end
      return n
    end
    for name, case in pairs {
      ["another token"] = { VA_NOTE, { token = "x.y.z" }, "4012701" }, ["another key"] = { VA_NOTE, { key = "SK-x" }, "4012700" },
      ["another path"] = { VA_NOTE, { signed_path = "/v1/other" }, "4012700" }, ["too old"] = { VA_NOTE, { at = "2026-01-02T10:50:00+07:00" }, "4012700" },
      ["another body"] = { VA_NOTE, { body = json.encode(changed { trxId = "r2" }) }, "4012700" },
      ["the id was used for another"] = { changed { trxId = "r2" }, {}, "4092700" },
      ["no JSON"] = { "x", { id = "e-2" }, "4002700" }, ["no order"] = { changed { trxId = 5 }, { id = "e-3" }, "4002702" },
      ["no amount"] = { changed { paidAmount = { value = "0.10", currency = "IDR" } }, { id = "e-4" }, "4002701" },
      ["another currency"] = { changed { paidAmount = { value = "10.00", currency = "USD" } }, { id = "e-5" }, "4002701" },
    } do
      told(w, case[1], case[2])
      t.equal(w.body.responseCode, case[3], name)
      t.equal(w.settled, nil, name)
    end
    local late = token_of(w).body.accessToken
    w.now = NOW + 901000
    t.equal(told(w, VA_NOTE, { token = late, at = "2026-01-02T11:19:06+07:00", id = "e-9" }).body.responseCode, "4012701", "it lives 900 s")
    local other = world { pem = w.pem, verdict = "not_found" }
    t.equal(told(other, VA_NOTE).status, 503, "it comes again")
  end,

  ["SNAP: a wallet's news, also below our own path"] = function(t)
    local n = { originalPartnerReferenceNo = "r1", originalReferenceNo = "d-1", latestTransactionStatus = "00",
      amount = { value = "150000.00", currency = "IDR" }, finishedTime = AT }
    local w = world { pem = PEM }
    told(w, n, { path = "/v1.0/debit/notify" })
    t.equal(w.body.responseCode, "2005600")
    t.equal({ w.settled.status, w.settled.amount, w.settled.money_id }, { "success", 150000, nil })
    for word, status in pairs { ["05"] = "cancelled", ["06"] = "failed" } do
      n.latestTransactionStatus = word
      t.equal(told(w, n, { path = "/v1.0/debit/notify", id = "e" .. word }).settled.status, status)
    end
    for _, word in ipairs { "03", "04", "77" } do
      n.latestTransactionStatus = word
      told(w, n, { path = "/v1.0/debit/notify", id = "e" .. word })
      t.equal(w.settled, nil, word)
      t.equal(w.status, 200, word)
    end
    local strange = told(world { pem = PEM, strange = true }, n, { path = "/v1.0/debit/notify" })
    t.equal(strange.status, 503, "of what is nobody's: told again")
  end,

  ["a refund is known by its own number"] = function(t)
    local function about(reference, input)
      input.reference = "r1"
      return { id = "op_x", kind = "refund", reference = reference, status = "sending", input = input }
    end
    local known = false
    local function status(rows)
      answers(t, { method = "POST", json = { responseCode = "2005500", originalPartnerReferenceNo = "r1", latestTransactionStatus = "00",
        transAmount = { value = "150000.00", currency = "IDR" }, refundHistory = rows } }, known)
      known = true
      return t.kind(t.call(path "dana", "inquire", about("re-1", { amount = 5000 })))
    end
    t.equal(status { { partnerReferenceNo = "re-1", refundStatus = "00", refundNo = "n" } }, "success")
    t.equal(status { { partnerReferenceNo = "re-1", refundStatus = "03" } }, "processing")
    t.equal(status { { partnerReferenceNo = "re-1", refundStatus = "06" } }, "failed")
    t.equal(status { { partnerReferenceNo = "re-2", refundStatus = "00" } }, "not_created")
    t.http.answer { method = "POST", status = 409, json = { responseCode = "4095800", responseMessage = "Conflict" } }
    answers(t, { method = "POST", json = { responseCode = "2005500", originalPartnerReferenceNo = "r1", latestTransactionStatus = "00",
      transAmount = { value = "150000.00", currency = "IDR" }, refundHistory = json.array {} } }, known)
    t.equal(t.kind(t.call(path "dana", "refund", about("re-1", { amount = 5000 }))), "unknown", "heard before and not listed: on its way")
  end,
} }
