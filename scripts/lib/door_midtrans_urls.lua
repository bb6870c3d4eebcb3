-- scripts/lib/door_midtrans_urls.lua: X-Override-Notification and X-Append-Notification: up to three URLs to which
-- the notifications of one payment go, in place of the merchant's endpoints of this format or besides. They are the
-- payment's and no endpoint of the merchant's; what goes there is kept, tried again, signed and guarded as all
-- deliveries are.
local door = require "door"

local MOST, BYTES = 3, 500

-- What the create request is given besides; or nil, what is wrong, and a status_code where it is not theirs.
return function(req)
  local told = { door = "midtrans" }
  for _, header in ipairs { "X-Override-Notification", "X-Append-Notification" } do
    local said = req.headers[header:lower()]
    if door.text(said) then
      local list = {}
      for url in said:gmatch "[^,%s]+" do list[#list + 1] = url end
      told.urls, told.only = table.concat(list, " "), header == "X-Override-Notification"
      if #list == 0 or #list > MOST or #told.urls > BYTES then
        return nil, header .. " is 1 to " .. MOST .. " URLs, " .. BYTES .. " characters at most"
      end
      local good, text, code = core.webhook.name(req.merchant, list, "midtrans")
      if not good then return nil, header .. ": " .. tostring(text), code ~= "E_INVAL" and "503" or nil end
      return told
    end
  end
  return told
end
