-- scripts/lib/door_midtrans_ways.lua: Snap's names of the ways to pay (enabled_payments), as the checkout knows
-- them: METHOD.BANK, or METHOD alone.
local ways = {}

local KEYS = {
  credit_card = "card", bca_va = "virtual_account.bca", bni_va = "virtual_account.bni", bri_va = "virtual_account.bri",
  permata_va = "virtual_account.permata", echannel = "virtual_account.mandiri", cimb_va = "virtual_account.cimb",
  danamon_va = "virtual_account.danamon", bsi_va = "virtual_account.bsi", other_va = "virtual_account", bank_transfer = "virtual_account",
  gopay = "ewallet.gopay", shopeepay = "ewallet.shopeepay", dana = "ewallet.dana", ovo = "ewallet.ovo", qris = "qris", other_qris = "qris",
  akulaku = "paylater.akulaku", kredivo = "paylater.kredivo", indomaret = "retail.indomaret", alfamart = "retail.alfamart", cstore = "retail",
  cimb_clicks = "bank_transfer.cimb",
}

-- Those of a list that mean something here, each once.
function ways.known(list)
  local names, seen = {}, {}
  for _, name in ipairs(list) do
    if type(name) == "string" and KEYS[name] and not seen[name] then
      seen[name], names[#names + 1] = true, name
    end
  end
  return names
end

-- Whether a page that was opened with these names ("bca_va gopay"; nil: all) offers this way.
function ways.offers(enabled, key, method)
  if type(enabled) ~= "string" then return true end
  for name in enabled:gmatch "%S+" do
    if KEYS[name] == key or KEYS[name] == method then return true end
  end
  return false
end

return ways
