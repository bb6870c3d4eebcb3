-- rules/fees/xendit_flat.lua: what costs the same whatever the amount, through Xendit: Rp4,000 for a virtual
-- account, Rp5,000 at an outlet, and PPN on it (11 %; since 2025 12 % of 11/12, which is the same, rounded
-- once). [list prices of gateways 2024-2026; a contract may say otherwise]
local FLAT = { virtual_account = 4000, retail = 5000 }

return {
  api = 1, kind = "fee", priority = 50, from = "2022-04-01",
  match = { provider = "xendit", method = { "virtual_account", "retail" } },
  fee = function(p)
    local flat = FLAT[p.method]
    return { bearer = "merchant", lines = { { "transaction", flat }, { "ppn", money.percent(flat, "11%", "half_up") } } }
  end,
}
