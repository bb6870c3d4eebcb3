-- scripts/lib/door_midtrans_urls.lua: X-Override-Notification and X-Append-Notification: up to three URLs to which
-- the notifications of one payment go, in place of the merchant's endpoints or besides. Each is a webhook endpoint
-- of the merchant, made when it is first named (GET /v1/webhook_endpoints shows it), so that deliveries are kept,
-- tried again and guarded as all are; it hears of those payments that name it, which is in their metadata.
local door = require "door"
local urls = {}

local SCOPE = "door_midtrans_urls" -- "url MERCHANT URL" -> id of its endpoint; "named ID": it hears only where named
local TYPES = { "payment.created", "payment.succeeded", "payment.failed", "payment.expired", "payment.cancelled", "payment.reversed", "refund.succeeded" }
local MOST, BYTES = 3, 500 -- a value of metadata

-- The list in a header, and the field of metadata; nil: none; nil, nil, and what is wrong.
local function read(req)
  for _, header in ipairs { "X-Override-Notification", "X-Append-Notification" } do
    local said = req.headers[header:lower()]
    if door.text(said) then
      local list = {}
      for url in said:gmatch "[^,%s]+" do list[#list + 1] = url end
      if #list == 0 or #list > MOST or #table.concat(list, ",") > BYTES then
        return nil, nil, header .. " is 1 to " .. MOST .. " URLs, " .. BYTES .. " characters at most"
      end
      return list, header:lower():match "^x%-(%a+)" .. "_notification"
    end
  end
end

-- Its endpoint, enabled; or nil and what is wrong, true: it may go well later.
local function open(merchant, url)
  local key = "url " .. merchant .. " " .. url
  local row = store.get("kv_get", SCOPE, key)
  local known = row and core.webhook.get(merchant, row.value)
  if known then
    if known.status == "enabled" or core.webhook.set(merchant, known.id, { disabled = false }) then return known end
    return nil, "try again", true
  end
  local made, text, code = core.webhook.add(merchant, { url = url, format = "midtrans", enabled_types = TYPES })
  if not made then return nil, url .. ": " .. tostring(text), code ~= "E_INVAL" and code ~= "E_LIMIT" end
  local kept = store.commit { { "kv_put", scope = SCOPE, key = key, value = made.id, version = row and row.version or 0 },
    { "kv_put", scope = SCOPE, key = "named " .. made.id, value = url } }
  if kept then return made end
  core.webhook.set(merchant, made.id, { deleted = true }) -- somebody named it at the same moment: there shall be one
  return open(merchant, url)
end

-- Puts into the create request what its headers say; what is wrong with them, and a status_code where it is not theirs.
function urls.name(req, ask)
  local list, field, wrong = read(req)
  if not list then return wrong end
  for _, url in ipairs(list) do
    local endpoint, no, later = open(req.merchant, url)
    if not endpoint then return no, later and "503" or nil end
  end
  ask.metadata[field] = table.concat(list, ",")
end

local function has(list, url)
  for one in (door.text(list) or ""):gmatch "[^,]+" do
    if one == url then return true end
  end
  return false
end

-- Whether this endpoint is to hear of this payment.
function urls.hears(letter, p)
  local row, why = store.get("kv_get", SCOPE, "named " .. letter.endpoint)
  if why then error(why) end -- not known now: the delivery is tried again
  local said, named = door.table_or(p.metadata), row ~= nil
  if door.text(said.override_notification) then return named and has(said.override_notification, letter.url) end
  return not named or has(said.append_notification, letter.url)
end

return urls
