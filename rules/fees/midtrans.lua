-- rules/fees/midtrans.lua: what Midtrans takes for what has no rule of its own; PPN, 11 % in effect since
-- April 2022, comes on top of it. [list prices usual 2024-2026; a contract may say otherwise]
local FLAT = { retail = 5000, bank_transfer = 5000 }
local SHARE = { card = "2.9%", paylater = "2%" }
local PLUS = { card = 2000 }

return {
  api = 1, kind = "fee", priority = 60, from = "2022-04-01",
  match = { provider = "midtrans", method = { "retail", "bank_transfer", "card", "paylater" } },
  fee = function(p)
    local fee = FLAT[p.method] or money.percent(p.amount, SHARE[p.method], "half_up") + (PLUS[p.method] or 0)
    return { bearer = "merchant", lines = { { "transaction", fee }, { "ppn", money.percent(fee, "11%", "half_up") } } }
  end,
}
