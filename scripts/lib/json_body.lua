-- scripts/lib/json_body.lua: the body of a request where it is a JSON object ([] is none); nil and why, where
-- the reader has said why. Bodies have up to 1 MB, patterns take 64 kB: so its first byte is looked for without.
local BLANK = { [0x20] = true, [0x09] = true, [0x0a] = true, [0x0d] = true }

return function(req)
  local body, why = req:json()
  if type(body) ~= "table" then return nil, why end
  local at = 1
  while BLANK[req.body:byte(at)] do at = at + 1 end
  return req.body:byte(at) == 0x7b and body or nil
end
