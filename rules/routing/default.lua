-- rules/routing/default.lua: which channel is tried first, and which after it. A bank that was asked for
-- is never exchanged for another one; without one any virtual account will do.
local BY_BANK = {
  bca = { "midtrans_bca_va" }, bni = { "midtrans_bni_va" }, bri = { "midtrans_bri_va" }, permata = { "midtrans_permata_va" },
  mandiri = { "midtrans_mandiri_bill" }, self = { "self_va" }, gopay = { "midtrans_gopay" },
}
local BY_METHOD = {
  virtual_account = { "midtrans_bni_va", "midtrans_bri_va", "midtrans_permata_va", "midtrans_bca_va" },
  qris = { "midtrans_qris" },
  ewallet = { "midtrans_gopay" },
}

return {
  api = 1, kind = "routing", priority = 100,
  route = function(p)
    local channels = p.bank and p.bank ~= "" and (BY_BANK[p.bank] or {}) or BY_METHOD[p.method] or {}
    local route = { on = { "BANK_UNAVAILABLE", "PROVIDER_ERROR", "TIMEOUT" } }
    for i, name in ipairs(channels) do route[i] = name end
    return route -- none named: the order of the files
  end,
}
