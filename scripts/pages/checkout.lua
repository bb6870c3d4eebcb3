-- scripts/pages/checkout.lua: where the payer pays. /pay/{token} shows how to pay, or the ways there are,
-- or how it ended; everything essential works without JavaScript, as forms and links. What the payment
-- is doing arrives as server-sent events, and the page then fetches itself anew.
local text = require "checkout_text"
local view = require "checkout_view"
local assets = require "checkout_assets"
local midtrans_ways = require "door_midtrans_ways"

local POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; " ..
  "frame-ancestors 'none'; form-action 'self'"

local function headers(more)
  local h = {
    ["Content-Type"] = "text/html; charset=utf-8", ["Cache-Control"] = "no-store", ["Referrer-Policy"] = "no-referrer",
    ["X-Content-Type-Options"] = "nosniff", ["Content-Security-Policy"] = POLICY, Vary = "Accept-Language, Cookie",
  }
  for name, value in pairs(more or {}) do h[name] = value end
  return h
end

---- which language ----

-- The first that we speak, by the browser's own weights; else Indonesian.
local function accepted(header)
  local best, best_q = "id", 0
  for one in (header or ""):sub(1, 500):gmatch "[^,]+" do
    local tag, rest = one:match "^%s*(%a+)[%w-]*(.*)$"
    local lang = tag and ({ id = "id", ["in"] = "id", ms = "id", en = "en" })[tag:lower()]
    local q = tonumber(rest and rest:match ";%s*q=([%d.]+)") or 1
    if lang and q > best_q then best, best_q = lang, q end
  end
  return best
end

local function language(req)
  local asked = (req:args() or {}).lang
  if asked == "id" or asked == "en" then
    return asked, { ["Set-Cookie"] = "lang=" .. asked .. "; Path=/pay; Max-Age=31536000; SameSite=Lax; HttpOnly" }
  end
  local kept = form.cookies(req.headers.cookie or "").lang
  if kept == "id" or kept == "en" then return kept end
  return accepted(req.headers["accept-language"])
end

---- what there is to choose ----

-- One entry per way as a payer knows it: bank and method, whoever carries it; routing picks the
-- channel. What has no bank, beside others of its method that have, is known by its channel.
local function key_of(channel, banked)
  local bank = channel.bank ~= json.null and channel.bank or nil
  if bank then return channel.method .. "." .. bank, { method = channel.method, bank = bank }, bank end
  if channel.method == "qris" or channel.method == "card" or not banked[channel.method] then
    return channel.method, { method = channel.method }
  end
  return "channel." .. channel.name, { channel = channel.name }
end

local function fee_of(c, channel, day)
  local p = c.payment
  if #p.attempts > 0 then return nil end -- what is due is fixed by the first way
  local fee = core.rules.fee {
    amount = p.amount, currency = p.currency, method = channel.method, channel = channel.name, provider = channel.provider,
    bank = channel.bank ~= json.null and channel.bank or nil, merchant = c.merchant, paid_on = day,
  }
  if not fee then return nil, true end
  return fee.bearer == "customer" and fee.total or 0
end

-- What the payer is asked for: that which a channel cannot do without. What it may have besides is a shop's
-- to send, and what is no plain value nobody types: nil, it is not offered here.
local function asked_by(channel)
  local fields, n = {}, 0
  for name, option in pairs(channel.options) do
    if option.required then
      if option.type ~= "string" and option.type ~= "integer" then return nil end
      fields[name], n = option, n + 1
    end
  end
  return fields, n
end

-- Of two channels of one way the one that takes the amount counts, then the one that asks for less.
local function better(way, than)
  if way.off ~= than.off then return than.off end
  return way.asks < than.asks
end

local function ways_of(c)
  local p, found, list, banked = c.payment, {}, {}, {}
  local channels, day = core.channels.list(), time.day(c.now)
  for _, channel in ipairs(channels) do banked[channel.method] = banked[channel.method] or channel.bank ~= json.null end
  -- of a shop that opened it as a Snap page; what another writes into its metadata is its own affair
  local enabled = c.door == "midtrans" and type(p.metadata) == "table" and p.metadata.enabled_payments or nil
  local dearer = #p.attempts > 0 and p.amount_due > p.amount -- QRIS may carry no fee of the payer
  for _, channel in ipairs(channels) do
    local key, body, bank = key_of(channel, banked)
    local min, max = channel.limits.min, channel.limits.max
    local off = p.amount < min or (max ~= nil and p.amount > max)
    local fields, asks = asked_by(channel)
    local shown = channel.available and fields and (not found[key] or better({ off = off, asks = asks }, found[key]))
    if not midtrans_ways.offers(enabled, key, channel.method) then shown = false end
    if channel.method == "bank_transfer" and #p.attempts > 0 then shown = false end -- its unique code would change what is due
    if shown and not (dearer and channel.method == "qris") then
      local fee, broken = nil, false
      if not off then fee, broken = fee_of(c, channel, day) end
      if not broken then
        local way = { key = key, body = body, method = channel.method, bank = bank, title = channel.title, options = fields, asks = asks, fee = fee,
          min = min, max = max, off = off }
        if found[key] then list[found[key].at] = way else list[#list + 1] = way end
        way.at = found[key] and found[key].at or #list
        found[key] = way
      end
    end
  end
  return list
end

---- the page ----

local ENDED = { success = true, failed = true, expired = true, cancelled = true }
local GONE = { failed = true, expired = true, cancelled = true }

-- The state of the attempt that counts; nil: none was made.
local function current(c)
  for _, attempt in ipairs(c.payment.attempts) do
    if attempt.id == c.attempt then return attempt.status end
  end
end

local function open(req)
  local lang, more = language(req)
  local c = core.checkout.get(req.params.token)
  if not c then return nil, lang end
  -- behind a proxy that takes a part of the path away, a browser's links need it
  c.base = type(c.payment.checkout_url) == "string" and c.payment.checkout_url:match "^%a+://[^/]+(.*)/pay/[^/]+$" or ""
  c.lang, c.words, c.now, c.path, c.more = lang, text[lang], time.now(), c.base .. "/pay/" .. req.params.token, more
  if c.way_expires_ms > 0 and type(c.payment.instructions) == "table" and (c.expires_ms == 0 or c.way_expires_ms < c.expires_ms) then
    c.expires_ms = c.way_expires_ms -- this way ends sooner than the order
  end
  local state = current(c)
  local waits = c.payment.status == "pending" and c.payment.amount_paid == 0
  c.choosing = waits and (state == nil or GONE[state] == true)
  c.changeable = waits and not c.choosing
  if c.choosing and state and not c.notice then c.notice = c.words.again end
  return c
end

local function answer(c, status, ways)
  local h = headers(c.more)
  local origin = view.form_origin(c.payment.instructions)
  if origin then h["Content-Security-Policy"] = POLICY .. " " .. origin end
  return status, view.page(c, ways), h
end

local function lost(lang) return 404, view.lost(lang), headers() end

local function show(req)
  local c, lang = open(req)
  if not c then return lost(lang) end
  return answer(c, 200, c.choosing and ways_of(c) or nil)
end

local function show_ways(req)
  local c, lang = open(req)
  if not c then return lost(lang) end
  if not c.choosing and not c.changeable then return 303, "", headers { Location = c.path } end
  c.quiet, c.notice = true, c.notice or nil
  return answer(c, 200, ways_of(c))
end

---- choosing ----

local TYPED_MAX = 1000

local function options_of(way, given)
  local options, raw = json.object {}, {}
  for name, option in pairs(way.options) do
    local value = given["option." .. name]
    local typed = type(value) == "string" and #value <= TYPED_MAX and utf8.len(value) -- else nobody typed it here
    value = typed and value:match "^%s*(.-)%s*$" or ""
    raw[name] = value
    if value ~= "" then options[name] = option.type == "integer" and math.tointeger(tonumber(value)) or value end
  end
  return options, raw
end

local NOTICES = { INVALID_REQUEST = "wrong_field", INVALID_STATE = "changed", FRAUD_DETECTED = "refused", LIMIT_EXCEEDED = "refused" }

local function choose(req)
  local c, lang = open(req)
  if not c then return lost(lang) end
  local given, chosen = req:form() or {}, nil
  for _, way in ipairs(ways_of(c)) do
    if way.key == given.way and not way.off then chosen = way end
  end
  if ENDED[c.payment.status] then return 303, "", headers { Location = c.path } end
  if not chosen then return 303, "", headers { Location = c.path .. "/ways" } end
  local options, raw = options_of(chosen, given)
  local body = { options = options }
  for name, value in pairs(chosen.body) do body[name] = value end
  local said = core.payment.choose { merchant = c.merchant, id = c.payment.id, body = body }
  if said.status < 300 then return 303, "", headers { Location = c.path } end
  local code = (json.decode(said.body) or {}).code
  c = open(req) -- as it stands now
  c.notice, c.chosen, c.given = c.words[NOTICES[code] or "busy"], chosen.key, raw
  if not c.choosing and not c.changeable then return answer(c, 409) end
  c.quiet = true
  return answer(c, said.status, ways_of(c))
end

-- Simulated mode: somebody pays, as the provider's simulator lets him.
local function simulate(req)
  local c, lang = open(req)
  if not c then return lost(lang) end
  if c.provider and not ENDED[c.payment.status] then
    http.post { url = "http://luwak.simulated/sandbox/" .. c.provider .. "/_control", json = { pay = c.payment.id }, timeout = "20s" }
  end
  return 303, "", headers { Location = c.path }
end

---- besides ----

local function image(draw, kind)
  return function(req)
    local c, lang = open(req)
    local shown = c and c.payment.instructions
    if type(shown) ~= "table" or type(shown.qr_string) ~= "string" or ENDED[c.payment.status] then return lost(lang or c.lang) end
    return 200, draw(shown.qr_string), headers { ["Content-Type"] = kind }
  end
end

local function asset(req)
  local file = assets.by_name[req.params.file]
  if not file then return problem { code = "NOT_FOUND", detail = "there is no such file" } end
  return 200, file.text, { ["Content-Type"] = file.type, ["Cache-Control"] = "public, max-age=31536000, immutable", ["X-Content-Type-Options"] = "nosniff" }
end

return {
  api = 1,
  title = "Checkout",
  routes = {
    ["GET /pay/assets/:file"] = { auth = "none", about = "the checkout's style and script", run = asset },
    ["GET /pay/:token"] = { auth = "none", about = "where the payer pays", run = show },
    ["POST /pay/:token"] = { auth = "none", timeout = "150s", about = "the payer's choice", run = choose },
    ["GET /pay/:token/ways"] = { auth = "none", about = "the ways to pay", run = show_ways },
    ["POST /pay/:token/simulate"] = { auth = "simulated", about = "somebody pays it, in simulated mode", run = simulate },
    ["GET /pay/:token/events"] = {
      auth = "none", about = "what becomes of it, as server-sent events",
      run = function(req) return core.checkout.watch("pay_" .. req.params.token) end,
    },
    ["GET /pay/:token/qr.svg"] = { auth = "none", about = "its QR code", run = image(qr.svg, "image/svg+xml") },
    ["GET /pay/:token/qr.png"] = { auth = "none", about = "the same, to keep", run = image(qr.png, "image/png") },
  },
}
