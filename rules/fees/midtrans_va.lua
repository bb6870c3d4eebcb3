-- rules/fees/midtrans_va.lua: virtual accounts and Mandiri bills through Midtrans: Rp4,000 each, and PPN
-- on it. PPN is 11 % since April 2022; since 2025 it is 12 % of 11/12 of the fee, which is the same,
-- rounded once. [list price 2024-2026; a contract may say otherwise: BCA is often dearer]
return {
  api = 1, kind = "fee", priority = 50, from = "2022-04-01",
  match = { provider = "midtrans", method = "virtual_account" },
  fee = function()
    local flat = 4000
    return { bearer = "merchant", lines = { { "transaction", flat }, { "ppn", money.percent(flat, "11%", "half_up") } } }
  end,
}
