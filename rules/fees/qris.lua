-- rules/fees/qris.lua: QRIS: the merchant discount rate that Bank Indonesia sets, by the
-- merchant's criterion (as in tag 26/03 of its code; none is URE, a regular one) and by day. Within it
-- is PPN (11/111). Above a free amount the rate is of the whole amount. The merchant bears it: to charge
-- it to the payer is forbidden. [press quoting Bank Indonesia; BLU and PSO since 2025 from memory]
local REGULAR, EDUCATION, FUEL = "0.7%", "0.6%", "0.4%"
local PERIODS = { -- the newest first
  { "2025-03-14", UMI = { "0.3%", free = 500000 }, SERVICE = { "0%" } },
  { "2024-12-01", UMI = { "0.3%", free = 500000 }, SERVICE = { "0.4%" } },
  { "2023-09-01", UMI = { "0.3%", free = 100000 }, SERVICE = { "0.4%" } },
  { "2023-07-01", UMI = { "0.3%" }, SERVICE = { "0.4%" } },
  { "2020-04-01", UMI = { "0%" }, SERVICE = { "0.4%" } },
  { "2020-01-01", UMI = { "0.7%" }, SERVICE = { "0.4%" } },
}
local ALWAYS = { EDUCATION = { EDUCATION }, FUEL = { FUEL }, GOVERNMENT = { "0%" }, SOCIAL = { "0%" } }
local SERVICE = { PSO = true, BLU = true }

local function rate_of(category, day)
  for _, period in ipairs(PERIODS) do
    if day >= period[1] then
      return ALWAYS[category] or (SERVICE[category] and period.SERVICE) or period[category] or { REGULAR }
    end
  end
  return { REGULAR }
end

return {
  api = 1, kind = "fee", priority = 50, from = "2020-01-01",
  match = { provider = { "midtrans", "xendit", "doku" }, method = "qris" },
  fee = function(p)
    local rate = rate_of(p.category or "URE", p.paid_on)
    local whole = p.amount > (rate.free or 0) and money.percent(p.amount, rate[1], "half_up") or 0
    local mdr = money.ratio(whole, 100, 111, "half_up")
    return { bearer = "merchant", lines = { { "mdr", mdr }, { "ppn", whole - mdr } } }
  end,
}
