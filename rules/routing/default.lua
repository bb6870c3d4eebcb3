-- rules/routing/default.lua: which channel is tried first, and which after it. A bank that was asked for
-- is never exchanged for another one; without one any virtual account will do.
local BY_BANK = {
  bca = { "midtrans_bca_va", "xendit_bca_va" }, bni = { "midtrans_bni_va", "xendit_bni_va" }, bri = { "midtrans_bri_va", "xendit_bri_va" },
  permata = { "midtrans_permata_va", "xendit_permata_va" }, mandiri = { "midtrans_mandiri_bill", "xendit_mandiri_va" }, cimb = { "xendit_cimb_va" },
  self = { "self_va" }, gopay = { "midtrans_gopay" }, ovo = { "xendit_ovo" }, dana = { "xendit_dana" }, linkaja = { "xendit_linkaja" },
  shopeepay = { "xendit_shopeepay" }, jenius = { "xendit_jeniuspay" }, alfamart = { "xendit_alfamart" }, indomaret = { "xendit_indomaret" },
  kredivo = { "xendit_kredivo" }, akulaku = { "xendit_akulaku" },
}
local BY_METHOD = {
  virtual_account = { "midtrans_bni_va", "midtrans_bri_va", "midtrans_permata_va", "midtrans_bca_va", "xendit_bni_va", "xendit_bri_va" },
  qris = { "midtrans_qris", "xendit_qris" },
  ewallet = { "midtrans_gopay" },
  retail = { "xendit_alfamart", "xendit_indomaret" },
  paylater = { "xendit_kredivo", "xendit_akulaku" },
  card = { "xendit_card" },
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
