-- scripts/lib/snap.lua: the parts of SNAP BI, the national standard, that every bank and gateway which
-- speaks it has alike: minifying, the two signatures, response codes. What one of them does its own way
-- stays in its own module.
local snap = {}

-- Blanks go only outside of texts, and nothing else changes: numbers, escapes and the order of keys must
-- survive, because the other side hashes what it has.
function snap.minify(text)
  local parts, at = {}, 1
  while at <= #text do
    local quote = text:find('"', at, true)
    parts[#parts + 1] = text:sub(at, (quote or #text + 1) - 1):gsub("[ \t\r\n]+", "")
    if not quote then break end
    local stop = quote + 1
    while true do
      stop = text:find('["\\]', stop)
      if not stop then stop = #text break end
      if text:byte(stop) == 34 then break end
      stop = stop + 2 -- an escape, whatever it escapes
    end
    parts[#parts + 1] = text:sub(quote, stop)
    at = stop + 1
  end
  return table.concat(parts)
end

-- The minified body in lower-case hex; no body is the empty text.
function snap.hash(body) return crypto.sha256(snap.minify(body or ""), "hex") end

-- What the symmetric signature is made over; token may be a secret.
function snap.text(method, path, token, hash, timestamp)
  return { method, ":", path, ":", token, ":", hash, ":", timestamp }
end

function snap.sign(secret_key, method, path, token, body, timestamp)
  return crypto.hmac("sha512", secret_key, snap.text(method, path, token, snap.hash(body), timestamp), "base64")
end

-- The body may have been hashed as it was sent, or minified: both are taken. Patterns go over 64 kB at
-- most, and no message of theirs is that long: who calls us with more is not heard, and it is no error of ours.
local MINIFIED_MOST = 65536
function snap.signed(secret_key, method, path, token, body, timestamp, signature)
  for _, hash in ipairs { crypto.sha256(body, "hex"), #body <= MINIFIED_MOST and snap.hash(body) or nil } do
    if crypto.hmac_verify("sha512", secret_key, snap.text(method, path, token, hash, timestamp), signature, "base64") then return true end
  end
  return false
end

-- Whole seconds, +07:00.
function snap.timestamp(ms) return time.format(ms, "iso", "WIB") end

-- With milliseconds or without, any zone; nil for what is no time.
function snap.time(text) return type(text) == "string" and time.parse(text) or nil end

-- {"value":"10000.00","currency":"IDR"} as rupiah; a value may come as a number. Nil for what is none.
function snap.amount(amount)
  local value = type(amount) == "table" and (amount.currency == nil or amount.currency == "IDR") and amount.value
  if not value or value == json.null then return nil end
  local n = money.parse(tostring(value), "IDR")
  return n and n > 0 and n <= 1000000000000000 and n or nil
end

function snap.money(amount) return { value = money.format(amount, "IDR", 2), currency = "IDR" } end

-- "4042612" (a number in some samples) -> HTTP status and case: 404, "12". Nil for what is no code.
function snap.code(body)
  local code = type(body) == "table" and body.responseCode
  local http, case = tostring(code):match "^(%d%d%d)%d%d(%d%d)$"
  return math.tointeger(tonumber(http)), case, http and tostring(code) or nil
end

-- Why an operation failed, by HTTP status and case; what is not here is no answer, and is asked about.
-- 401 with 01 or 03 is a token that has gone, and moved nothing.
local FAILURES = {
  [400] = { ["00"] = "INVALID_REQUEST", ["01"] = "INVALID_REQUEST", ["02"] = "INVALID_REQUEST" },
  [401] = { ["00"] = "UNAUTHORIZED_AT_PROVIDER", ["02"] = "UNAUTHORIZED_AT_PROVIDER", ["04"] = "UNAUTHORIZED_AT_PROVIDER" },
  [403] = { ["01"] = "INVALID_REQUEST", ["02"] = "LIMIT_EXCEEDED", ["03"] = "FRAUD_DETECTED", ["04"] = "LIMIT_EXCEEDED",
    ["05"] = "CARD_DECLINED", ["06"] = "BANK_UNAVAILABLE", ["07"] = "CARD_DECLINED", ["08"] = "CARD_DECLINED",
    ["09"] = "CARD_DECLINED", ["11"] = "INVALID_OTP", ["12"] = "INVALID_OTP", ["14"] = "INSUFFICIENT_BALANCE",
    ["15"] = "CARD_DECLINED", ["16"] = "CARD_DECLINED", ["18"] = "CARD_DECLINED", ["19"] = "UNAUTHORIZED_AT_PROVIDER",
    ["20"] = "LIMIT_EXCEEDED", ["23"] = "LIMIT_EXCEEDED" },
  [404] = { ["03"] = "BANK_UNAVAILABLE", ["05"] = "INVALID_REQUEST", ["07"] = "INVALID_REQUEST", ["08"] = "INVALID_REQUEST",
    ["11"] = "INVALID_REQUEST", ["13"] = "INVALID_REQUEST", ["15"] = "INVALID_OTP", ["16"] = "INVALID_REQUEST",
    ["17"] = "INVALID_REQUEST" },
  [405] = { ["00"] = "INVALID_REQUEST", ["01"] = "INVALID_REQUEST" },
}
function snap.failure(http, case) return FAILURES[http] and FAILURES[http][case] end

-- latestTransactionStatus as one word; nil for a word that is new. Refunded was paid; 07, not found, is
-- left out: it proves nothing of what was seen.
local WORDS = { ["00"] = "success", ["01"] = "pending", ["02"] = "processing", ["03"] = "pending", ["04"] = "refunded",
  ["05"] = "cancelled", ["06"] = "failed" }
function snap.word(status) return WORDS[status] end

return snap
