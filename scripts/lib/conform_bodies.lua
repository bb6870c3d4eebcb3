-- scripts/lib/conform_bodies.lua: what calls us and is not right. From a valid callback, which the simulator
-- made and kept back, some 250 bad ones are made, the same ones each time: cut short, much too long, deeply
-- nested, of wrong types, with signatures that do not fit, of another merchant. What has lost its proof is
-- refused and changes nothing. What kept it (a provider may prove itself by a token, and sign nothing) is
-- refused too, or it is the payment's own money, once. What does not read goes once more as the provider would
-- prove it: a signature says nothing about what is signed. Nothing of it is our failure: no 500; and an error has
-- the shape of the other answers to that provider.
local LEAST = 200
local KINDS = { "cut short", "rubbish", "nested", "too long", "signature", "type of", "without", "another merchant's proof",
  "another merchant's message" }
local TYPES_MOST = 90 -- of wrong types, spread over all of them
local RANDOM = 20260105

-- Our own numbers, so that the bodies do not hang on what else is drawn.
local function generator(seed)
  return function(n)
    seed = (seed * 1103515245 + 12345) % 2147483648
    return seed // 65536 % n + 1
  end
end

local function copy(headers)
  local all = {}
  for name, value in pairs(headers) do all[name] = value end
  return all
end

local PROOF = { "signature", "token", "authorization", "x%-key" }
local function proof(name)
  for _, pattern in ipairs(PROOF) do
    if name:lower():find(pattern) then return true end
  end
end

local function turned(text, at) -- another letter or digit in one place
  local c = text:sub(at, at)
  local other = c == "a" and "b" or c:find "%d" and tostring((tonumber(c) + 1) % 10) or "a"
  return text:sub(1, at - 1) .. other .. text:sub(at + 1)
end

local function replaced(text, from, to) -- both plain
  return (text:gsub(from:gsub("%p", "%%%0"), (to:gsub("%%", "%%%%"))))
end

local function grown(text, name, more) -- each `name` in it has `more` behind it, however much
  local parts, at = {}, 1
  local from, to = text:find(name, at, true)
  while from do
    parts[#parts + 1], at = text:sub(at, to) .. more, to + 1
    from, to = text:find(name, at, true)
  end
  return table.concat(parts) .. text:sub(at)
end

-- Every place of a document: the table that holds it, its name.
local function places(value, list)
  for name, inner in sorted(value) do
    list[#list + 1] = { value, name }
    if type(inner) == "table" then places(inner, list) end
  end
  return list
end

local function decoded(body)
  local good, value = pcall(json.decode, body)
  return good and type(value) == "table" and value or nil
end

---- the bad ones: { kind, headers, body, strict = it has lost its proof or does not read } ----

local WRONG = { "\0", 12, -5, true, json.null, json.array {}, json.object {}, ("9"):rep(4000) }

local function cut_short(h, add, times)
  for i = 0, times - 1 do add("cut short", h.headers, h.body:sub(1, #h.body * i // times), true) end
end

local function rubbish(h, add, random)
  for _, body in ipairs { "null", "[]", "{}", '""', "0", "true", "<html></html>", "a=b&c=d", h.body .. h.body, "\xef\xbb\xbf\xff", "[" .. h.body .. "]",
    '{"data":' .. h.body:sub(1, 20) } do
    add("rubbish", h.headers, body, true)
  end
  for _ = 1, 40 do
    local bytes = {}
    for i = 1, 40 + random(200) do bytes[i] = string.char(random(256) - 1) end
    add("rubbish", h.headers, table.concat(bytes), true)
  end
end

local function too_big(h, add)
  for _, depth in ipairs { 20, 40, 100, 1000, 20000 } do
    add("nested", h.headers, ('{"a":'):rep(depth) .. h.body .. ("}"):rep(depth), true)
    add("nested", h.headers, ("["):rep(depth) .. h.body .. ("]"):rep(depth), true)
    add("nested", h.headers, ("["):rep(depth), true)
  end
  add("too long", h.headers, ("x"):rep(1048576), true)
  add("too long", h.headers, '{"a":"' .. ("x"):rep(900000) .. '"}', true)
end

local function unproved(h, add, random)
  for name, value in sorted(h.headers) do
    if type(value) == "string" and proof(name) then
      for _, other in ipairs { false, "", " ", "null", value .. "0", value:sub(2), ("0"):rep(#value), value:reverse() .. "x" } do
        local headers = copy(h.headers)
        headers[name] = other or nil
        add("signature " .. name, headers, h.body, true)
      end
      for _ = 1, 20 do
        local headers = copy(h.headers)
        headers[name] = turned(value, 1 + random(#value - 1))
        if not value:lower():find "base64" then add("signature " .. name, headers, h.body, true) end
      end
    end
  end
  local note = decoded(h.body)
  for _, place in ipairs(note and places(note, {}) or {}) do
    local holder, name = place[1], place[2]
    local was = holder[name]
    if type(name) == "string" and type(was) == "string" and proof(name) then
      for _, other in ipairs { "", "null", was:sub(2), was .. "0", ("0"):rep(#was), turned(was, 1), turned(was, #was), turned(was, #was // 2), 5, true, json.null } do
        holder[name] = other
        add("signature " .. name, h.headers, json.encode(note), true)
      end
      holder[name] = nil
      add("signature " .. name, h.headers, json.encode(note), true)
      holder[name] = was
    end
  end
end

local function wrong_types(h, add)
  local note = decoded(h.body)
  for _, place in ipairs(note and places(note, {}) or {}) do
    local holder, name = place[1], place[2]
    local was = holder[name]
    for _, other in ipairs(WRONG) do
      if type(name) == "string" and math.type(other) ~= math.type(was) or type(other) ~= type(was) then
        holder[name] = other
        add("type of " .. name, h.headers, json.encode(note), false)
      end
    end
    if type(name) == "string" then
      holder[name] = nil
      add("without " .. name, h.headers, json.encode(note), false)
    end
    holder[name] = was
  end
end

-- The proof of another merchant's message, on ours.
local function others(h, other, add)
  local headers = copy(h.headers)
  local theirs = decoded(other.body)
  local ours = decoded(h.body)
  for name in sorted(theirs and ours or {}) do
    if type(ours[name]) == "string" and proof(name) then
      local was = ours[name]
      ours[name] = theirs[name]
      if was ~= ours[name] then add("another merchant's proof", headers, json.encode(ours), true) end
      ours[name] = was
    end
  end
  for name, value in sorted(h.headers) do
    if proof(name) and other.headers[name] and other.headers[name] ~= value then
      headers[name] = other.headers[name]
      add("another merchant's proof", headers, h.body, true)
      headers[name] = value
    end
  end
end

-- What names a payment to its provider or its payer.
local function names_of(p)
  local list = { p.order_id, p.attempts[1].reference, p.id }
  for name, value in sorted(type(p.instructions) == "table" and p.instructions or {}) do
    if name ~= "type" and name ~= "bank" and type(value) == "string" then list[#list + 1] = value end
  end
  return list
end

-- The other merchant's message: as it came; with our payment's names in it, under his proof; and ours, proven by
-- the account that serves us, where his own account hears.
local function theirs(w, h, other, add)
  local body, ours = other.body, names_of(h.p)
  add("another merchant's message", other.headers, body, false)
  for i, name in ipairs(names_of(other.p)) do
    if ours[i] and #name >= 4 then body = replaced(body, name, ours[i]) end
  end
  add("another merchant's message, of our payment", other.headers, body, w.proves)
  local server, path = h.url:match "^(https?://[^/]+)(/.*)$"
  local at = ("%s/callbacks/%s/%s%s"):format(server, w.m.provider, w.OTHER, path:match "^/callbacks/[%w_]+(.*)$" or path)
  if next(w.m.config or {}) then add("another merchant's account", w:proof(h.url, h.body, at) or h.headers, h.body, true, at) end
end

local function collected(h, fill)
  local list = {}
  fill(function(kind, headers, body, strict, url)
    if body ~= h.body or headers ~= h.headers or url then
      list[#list + 1] = { kind = kind, headers = copy(headers), body = body, strict = strict, url = url }
    end
  end)
  return list
end

local function forged(h, other)
  local random = generator(RANDOM)
  return collected(h, function(add)
    cut_short(h, add, 80)
    rubbish(h, add, random)
    too_big(h, add)
    unproved(h, add, random)
    others(h, other, add)
  end)
end

-- What does not read, and is proven.
local function proven(w, h)
  local random = generator(RANDOM)
  return collected(h, function(add)
    local function prove(kind, _, body)
      local headers = w:proof(h.url, body)
      if headers then add(kind .. ", and proven", headers, body, true) end
    end
    cut_short(h, prove, 20) -- a proof costs the simulator a token, and an RSA signature
    rubbish(h, prove, random)
    too_big(h, prove)
    local reference = h.p.attempts[1].reference -- or whatever else it goes by
    for _, name in ipairs(h.body:find(reference, 1, true) and { reference } or names_of(h.p)) do
      for _, more in ipairs { "\\u0000", ("x"):rep(70000) } do
        local body = grown(h.body, name, more)
        if body ~= h.body then prove("a name that can be nobody's", h.headers, body) end
      end
    end
  end)
end

local function mistyped(h)
  local list = collected(h, function(add) wrong_types(h, add) end)
  local chosen = collected(h, function(add) add("as long as may be", h.headers, h.body .. (" "):rep(1048576 - #h.body), false) end)
  for i = 1, math.min(#list, TYPES_MOST) do chosen[i + 1] = list[#list <= TYPES_MOST and i or i * #list // TYPES_MOST] end
  return chosen
end

---- sent ----

-- A payment that is paid, and the callback that says so, which nobody has heard. Headers that every
-- callback bears (a provider's token) and the simulator does not write down are those of `heard`.
local function untold(w, heard)
  w:expect(w:tell "reorder", "its simulator keeps no callback back")
  local p = w:open()
  local before = #w:kept_back()
  local said, status = w:try_pay()
  local number = type(p.instructions) == "table" and p.instructions.va_number
  if status ~= 200 and number then said, status = w:try_pay(number, p.amount_due) end -- a bank that knows numbers only
  w:expect(status == 200, "nobody can pay it at the simulator: %d %s", status, json.encode(said))
  local kept = w:kept_back()
  if #kept ~= before + 1 then return nil end
  local last, headers, named = kept[#kept], {}, {}
  for name, value in pairs(last.headers) do headers[name], named[name:lower()] = value, true end
  for name, value in pairs(heard.headers) do
    if proof(name) and not named[name:lower()] then headers[name] = value end
  end
  return { p = p, amount = said.amount, url = last.url, headers = headers, body = last.body }
end

local function refused_well(w, answer, bad)
  local what = ("%s: %s"):format(bad.kind, bad.body:sub(1, 300))
  w:expect(answer, "no answer to %s", what)
  local good = answer.status == 503 or (answer.status >= 400 and answer.status < 500) or (not bad.strict and answer.status >= 200 and answer.status < 300)
  w:expect(good, "%d is the answer to %s", answer.status, what)
  w:expect(not answer.body:find "%.lua:" and not answer.body:find "traceback", "our answer shows our insides (%s): %s", what, answer.body)
  local said = decoded(answer.body)
  w:expect(said or not w.json, "our answers are JSON, and to %s it is %s", what, answer.body)
  local code = w.snap and tostring(said.responseCode)
  w:expect(not code or code:find("^" .. answer.status), "our answers carry responseCode, and %d %s is the one to %s", answer.status, answer.body, what)
  w:expect(not (answer.headers["content-type"] or ""):find "html", "a page is the answer to %s", what)
end

-- A callback that the provider keeps back of another channel of its own, told at our common address.
local function of_a_sister(w)
  for _, channel in ipairs(w:ask("GET", "/v1/channels"):json().data) do
    if channel.provider == w.m.provider and channel.name ~= w.name and channel.available and w:tell "reorder" then
      local before = #w:kept_back()
      local p, answer = w:create { channel = channel.name, method = channel.method, options = json.object {} }
      local paid = answer.status == 201 and p.status == "pending" and select(2, w:try_pay()) == 200
      local kept = w:kept_back()
      local last = kept[#kept]
      if paid and #kept == before + 1 and last.url:find "/callbacks/" then return last, p end
      w:tell "reset"
    end
  end
end

-- A provider that tells nobody of this channel: our address is there all the same. What it says of another channel is
-- turned into news of this payment, which is not decided yet, and forged.
local function unasked(w)
  local kept, sister = of_a_sister(w)
  if not kept then return "nobody calls us, of its provider's other channels neither" end
  if not w:tell "timeout_before_debit" then return "its simulator always answers" end
  local p = w:create()
  w:expect(p.status == "processing", "no answer, and it is %s", p.status)
  local body, ours = kept.body, names_of(p)
  for i, name in ipairs(names_of(sister)) do
    if ours[i] then body = replaced(body, name, ours[i]) end
  end
  local headers = w:proof(kept.url, body)
  w:expect(headers and body ~= kept.body, "its simulator proves nothing that could be forged")
  local came, sent, news = w.came(), 0, { p = p, url = kept.url, headers = headers, body = body }
  for _, list in ipairs { forged(news, kept), proven(w, news) } do
    for _, bad in ipairs(list) do
      refused_well(w, http.request { method = "POST", url = kept.url, headers = bad.headers, body = bad.body, timeout = "30s" }, bad)
      w:expect(w.came() == came, "%s was believed: %s", bad.kind, bad.body:sub(1, 300))
      sent = sent + 1
    end
  end
  w:expect(sent >= LEAST, "only %d bad bodies were made", sent)
  w:expect(w:show(p).status == "processing", "forged, and it is %s", w:show(p).status)
  w:tell "reset" -- the sister's own, told
  engine.sleep "1s"
  w:paid_once(sister, "told rightly")
end

local function bodies(w)
  if not w.hears and w.m.notify then return unasked(w) end
  if not w.hears then return "nobody calls us" end
  local first = w:open()
  if first.status == "success" then return "the call itself takes the money" end
  if not w:tell "reorder" then return "its simulator keeps no callback back" end
  w:tell "reset"
  local from = w:sent()
  w:taken(w:pay())
  local heard = w:callbacks(from)
  heard = heard[#heard]
  if not heard then return "the payment is told of in another way" end
  local answered = decoded(heard.answer)
  w.json, w.snap = answered ~= nil, answered ~= nil and answered.responseCode ~= nil
  local other = w:as_other(function() return untold(w, heard) end)
  if not other then return "the payment is told of in another way" end
  w.proves = w:proof(other.url, "{}") ~= nil
  w:tell "reset" -- its own, told
  engine.sleep "1s"
  w:as_other(function() w:paid_once(other.p, "the other merchant's") end)
  w.t.account(w.path, w.OTHER)
  local now = untold(w, heard)
  local sent, kinds = 0, {}
  -- To the payment that it was made of; true: another one is wanted, because this one's money has come.
  local function try(bad)
    local came, held = w.came(), w.held()
    local answer = http.request { method = "POST", url = bad.url or now.url, headers = bad.headers, body = bad.body, timeout = "30s" }
    sent, kinds[#kinds + 1] = sent + 1, bad.kind
    refused_well(w, answer, bad)
    -- What is proven and cannot be checked makes us ask by ourselves (ctx.ask): what comes of that is its doing.
    if not bad.strict and answer.status == 503 then engine.sleep "100ms" end
    local took, waits, status = w.came() - came, w.held() - held, w:show(now.p).status
    local open = status == "pending" or status == "processing"
    if took == 0 then
      w:expect(open, "%s moved the payment to %s: %s", bad.kind, status, bad.body:sub(1, 300))
      return false
    end
    w:expect(not bad.strict, "%s was believed: %s", bad.kind, bad.body:sub(1, 300))
    local another = w.proves and waits == took and open -- the provider proved that another amount came: a person's business
    w:expect(another or (took == now.amount and status == "success"), "%s: %d of %d came, the payment is %s: %s", bad.kind, took, now.amount, status,
      bad.body:sub(1, 300))
    w:tell "reset"
    now = untold(w, heard)
    return true
  end
  for _, list in ipairs { forged(now, other), w.proves and proven(w, now) or {} } do
    for _, bad in ipairs(list) do try(bad) end
  end
  for _, make in ipairs { mistyped, function(h) return collected(h, function(add) theirs(w, h, other, add) end) end } do
    local list, i = make(now), 1
    while i <= #list do
      if w.proves and make == mistyped then list[i].headers = w:proof(now.url, list[i].body) or list[i].headers end
      if try(list[i]) then list = make(now) end
      i = i + 1
    end
  end
  w:expect(sent >= LEAST, "only %d bad bodies were made", sent)
  for _, kind in ipairs(KINDS) do
    local any = false
    for _, made in ipairs(kinds) do any = any or made:sub(1, #kind) == kind end
    w:expect(any or kind:find "proof" and not w.proves, "none was made of the kind: %s", kind)
  end
  local replays, came = 0, w.came()
  w:tell "reset" -- now it is told rightly, and then again and again
  engine.sleep "1s"
  w:paid_once(now.p, "told rightly")
  w:books(came + now.amount, "told rightly")
  for _ = 1, 20 do
    local answer = http.request { method = "POST", url = now.url, headers = now.headers, body = now.body, timeout = "30s" }
    replays = replays + (answer and answer.status < 500 and 1 or 0)
  end
  w:expect(replays == 20, "replayed: %d of 20 were answered", replays)
  w:books(came + now.amount, "replayed")
  w:paid_once(now.p, "replayed")
end

return { { "bad bodies", bodies, forged = true } }
