-- scripts/lib/told_id.lua: a name in what a provider tells (our reference, its transfer's id): a text that could be
-- one. Signed or not, no name holds control characters or is pages long, and the store would take none; nil then.
local MOST = 255

return function(value)
  local good = type(value) == "string" and value ~= "" and #value <= MOST and not value:find "%c"
  return good and value or nil
end
