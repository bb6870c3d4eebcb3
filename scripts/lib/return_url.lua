-- scripts/lib/return_url.lua: where the payer goes back to, with the order that he comes from. An address that
-- names an order already stays as it is; what is no text is left for the core to refuse.
return function(url, order_id)
  if type(url) ~= "string" or url == "" or type(order_id) ~= "string" then return url end
  local before, fragment = url:match "^([^#]*)(.*)$"
  local query = before:match "%?(.*)$"
  if query and ("&" .. query):find("&order_id=", 1, true) then return url end
  return before .. (query and "&" or "?") .. "order_id=" .. form.escape(order_id) .. fragment
end
