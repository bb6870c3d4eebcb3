-- rules/routing/default.lua: which channel is tried first, and which after it. A bank that was asked for
-- is never exchanged for another one; without one any virtual account will do. All three providers' channels
-- are named: those without keys are left out, and where none of a route is left the order of the files counts.
local BY_BANK = {
  bca = { "midtrans_bca_va", "xendit_bca_va", "doku_bca_va" }, bni = { "midtrans_bni_va", "xendit_bni_va", "doku_bni_va" },
  bri = { "midtrans_bri_va", "xendit_bri_va", "doku_bri_va" }, permata = { "midtrans_permata_va", "xendit_permata_va", "doku_permata_va" },
  mandiri = { "midtrans_mandiri_bill", "xendit_mandiri_va", "doku_mandiri_va" },
  cimb = { "xendit_cimb_va", "midtrans_cimb_va", "doku_cimb_va" },
  danamon = { "midtrans_danamon_va", "doku_danamon_va" }, bsi = { "doku_bsi_va" }, doku = { "doku_va" }, self = { "self_va" },
  gopay = { "midtrans_gopay" }, ovo = { "xendit_ovo", "doku_ovo" }, dana = { "xendit_dana", "doku_dana" }, linkaja = { "xendit_linkaja" },
  shopeepay = { "xendit_shopeepay", "midtrans_shopeepay", "doku_shopeepay" }, jenius = { "xendit_jeniuspay" },
  alfamart = { "xendit_alfamart", "midtrans_alfamart", "doku_alfamart" }, indomaret = { "xendit_indomaret", "midtrans_indomaret" },
  kredivo = { "xendit_kredivo", "midtrans_kredivo" }, akulaku = { "xendit_akulaku", "midtrans_akulaku" },
}
local BY_METHOD = {
  virtual_account = { "midtrans_bni_va", "midtrans_bri_va", "midtrans_permata_va", "midtrans_bca_va", "xendit_bni_va", "xendit_bri_va",
    "doku_va", "doku_bni_va", "doku_bri_va" },
  qris = { "midtrans_qris", "xendit_qris", "doku_qris" },
  ewallet = { "midtrans_gopay", "xendit_dana", "doku_dana" },
  retail = { "xendit_alfamart", "xendit_indomaret", "midtrans_alfamart", "midtrans_indomaret", "doku_alfamart" },
  paylater = { "xendit_kredivo", "xendit_akulaku", "midtrans_kredivo", "midtrans_akulaku" },
  card = { "xendit_card", "midtrans_card", "doku_card" },
}

return {
  api = 1, kind = "routing", priority = 100,
  route = function(p)
    local channels = p.bank and p.bank ~= "" and (BY_BANK[p.bank] or {}) or BY_METHOD[p.method] or {}
    local route = { on = { "BANK_UNAVAILABLE", "PROVIDER_ERROR", "TIMEOUT" } }
    for i, name in ipairs(channels) do route[i] = name end
    return route
  end,
}
