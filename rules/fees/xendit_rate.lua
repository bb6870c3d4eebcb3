-- rules/fees/xendit_rate.lua: what costs a part of the amount, through Xendit: wallets, pay-later and cards
-- (these and Rp2,000), with PPN on the fee. QRIS has a rate of Bank Indonesia's: qris.lua. [list
-- prices of gateways 2024-2026: 2 to 2.3 % for pay-later, the dearer taken; Jenius Pay from memory, 1.5 to
-- 2 %; whether ShopeePay's 2 % hold PPN is Midtrans' alone to say; a contract may say otherwise]
local RATE = { xendit_ovo = "1.5%", xendit_dana = "1.5%", xendit_linkaja = "1.5%", xendit_shopeepay = "2%", xendit_jeniuspay = "2%",
  xendit_kredivo = "2.3%", xendit_akulaku = "2.3%", xendit_card = "2.9%" }
local ALSO = { xendit_card = 2000 }

return {
  api = 1, kind = "fee", priority = 50, from = "2022-04-01",
  match = { provider = "xendit", method = { "ewallet", "paylater", "card" } },
  fee = function(p)
    local mdr = money.percent(p.amount, RATE[p.channel] or "2.9%", "half_up") + (ALSO[p.channel] or 0)
    return { bearer = "merchant", lines = { { "mdr", mdr }, { "ppn", money.percent(mdr, "11%", "half_up") } } }
  end,
}
