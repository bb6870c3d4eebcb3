-- rules/fees/doku.lua: what DOKU takes, by method; PPN, 11 % in effect since April 2022, comes on top of it.
-- QRIS is priced before this one is asked. [list prices usual 2024-2026; a contract may say otherwise]
local FLAT = { virtual_account = 4000, retail = 5000 }
local SHARE = { card = "2.8%", ewallet = "1.5%" }
local PLUS = { card = 2000 }

return {
  api = 1, kind = "fee", priority = 60, from = "2022-04-01",
  match = { provider = "doku", method = { "virtual_account", "retail", "card", "ewallet" } },
  fee = function(p)
    local fee = FLAT[p.method] or money.percent(p.amount, SHARE[p.method], "half_up") + (PLUS[p.method] or 0)
    return { bearer = "merchant", lines = { { "transaction", fee }, { "ppn", money.percent(fee, "11%", "half_up") } } }
  end,
}
