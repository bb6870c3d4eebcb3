-- The rules that come with the engine, against the tables of the reference.
local function lines(fee)
  local out = {}
  for _, line in ipairs(fee.lines) do out[line[1]] = line[2] end
  return out
end

local BANKS = {
  virtual_account = { "bca", "bni", "bri", "permata", "mandiri", "cimb", "danamon", "bsi", "doku", "self" },
  ewallet = { "gopay", "ovo", "dana", "linkaja", "shopeepay", "jenius" }, retail = { "alfamart", "indomaret" },
  paylater = { "kredivo", "akulaku" }, qris = {}, card = {},
}

-- A route leads to channels that are there, of that method, and of that bank where one was asked for.
local function leads(method, bank)
  return function(t)
    local route = t.load("rules/routing/default.lua").route { method = method, bank = bank }
    t.truthy(#route > 0, bank)
    for _, name in ipairs(route) do
      local channel = t.load("channels/" .. name .. ".lua")
      t.equal(channel.method, method)
      if bank then t.equal(channel.bank, bank) end
    end
  end
end

local tests = {
  ["a virtual account costs the same whatever it moves"] = function(t)
    local rule = t.load "rules/fees/midtrans_va.lua"
    for _, amount in ipairs { 1, 150000, 999999999 } do
      t.equal(rule.fee { amount = amount }, { bearer = "merchant", lines = { { "transaction", 4000 }, { "ppn", 440 } } })
    end
  end,

  ["GoPay: two percent, tax within"] = function(t)
    local rule = t.load "rules/fees/midtrans_gopay.lua"
    for amount, want in pairs { [150000] = { mdr = 2703, ppn = 297 }, [25] = { mdr = 1, ppn = 0 }, [24] = { mdr = 0, ppn = 0 }, [1041] = { mdr = 19, ppn = 2 } } do
      local got = lines(rule.fee { amount = amount })
      t.equal(got, want, tostring(amount))
      t.equal(got.mdr + got.ppn, money.percent(amount, "2%", "half_up"))
    end
  end,

  ["QRIS: Bank Indonesia's table by day, criterion and amount"] = function(t)
    local rule = t.load "rules/fees/midtrans_qris.lua"
    local cases = { -- day, criterion, amount, the whole fee
      { "2020-01-01", "UMI", 100000, 700 }, { "2020-04-01", "UMI", 100000, 0 }, { "2023-06-30", "UMI", 100000, 0 },
      { "2023-07-01", "UMI", 100000, 300 }, { "2023-08-31", "UMI", 50000, 150 },
      { "2023-09-01", "UMI", 100000, 0 }, { "2023-09-01", "UMI", 100001, 300 }, { "2024-11-30", "UMI", 200000, 600 },
      { "2024-12-01", "UMI", 500000, 0 }, { "2024-12-01", "UMI", 500001, 1500 }, { "2026-01-31", "UMI", 1000000, 3000 },
      { "2026-01-31", nil, 1000000, 7000 }, { "2026-01-31", "URE", 1000000, 7000 }, { "2026-01-31", "UBE", 1000000, 7000 },
      { "2020-01-01", "UKE", 1000000, 7000 }, { "2026-01-31", "EDUCATION", 1000000, 6000 }, { "2026-01-31", "FUEL", 1000000, 4000 },
      { "2025-03-13", "BLU", 1000000, 4000 }, { "2025-03-14", "BLU", 1000000, 0 }, { "2025-03-14", "PSO", 1000000, 0 },
      { "2026-01-31", "SOCIAL", 1000000, 0 }, { "2026-01-31", "GOVERNMENT", 1000000, 0 },
    }
    for i, case in ipairs(cases) do
      local fee = rule.fee { paid_on = case[1], category = case[2], amount = case[3] }
      local got = lines(fee)
      t.equal(fee.bearer, "merchant", "never the payer")
      t.equal(got.mdr + got.ppn, case[4], "case " .. i)
      t.equal(got.mdr, money.ratio(case[4], 100, 111, "half_up"), "case " .. i)
    end
  end,

  ["a bank that was asked for is never exchanged"] = function(t)
    local route = t.load("rules/routing/default.lua").route
    local function names(p)
      local out = {}
      for i, name in ipairs(route(p)) do out[i] = name end
      return out
    end
    t.equal(names { method = "virtual_account", bank = "bca" }, { "midtrans_bca_va", "xendit_bca_va", "doku_bca_va" })
    t.equal(names { method = "virtual_account", bank = "mandiri" }, { "midtrans_mandiri_bill", "xendit_mandiri_va", "doku_mandiri_va" })
    t.equal(names { method = "virtual_account", bank = "nobody" }, {})
    t.equal(names { method = "virtual_account" }[1], "midtrans_bni_va")
    t.equal(names { method = "qris" }, { "midtrans_qris", "xendit_qris", "doku_qris" })
    t.equal(names { method = "card" }, { "xendit_card", "midtrans_card", "doku_card" })
    t.equal(names { method = "bank_transfer" }, {})
  end,

  ["velocity: the twenty-first in an hour is denied"] = function(t)
    local judge = t.load("rules/risk/velocity.lua").judge
    t.equal(t.kind(judge { facts = { payments_per_customer_1h = 20 } }), "allow")
    t.equal(t.kind(judge { facts = { payments_per_customer_1h = 21 } }), "deny")
  end,

  ["late, short, over and second money"] = function(t)
    local function decide(on, m)
      local rule = t.load("rules/policy/" .. on .. ".lua")
      t.equal(rule.on, on)
      return rule.decide(m)
    end
    local due = { days_late = 1, amount = 50000, amount_paid = 0, amount_due = 50000 }
    t.equal(decide("late", due), "accept")
    due.status = "cancelled"
    t.equal(decide("late", due), "refund", "it is not sold any more")
    due.status = "expired"
    t.equal(decide("late", due), "accept")
    due.days_late = 2
    t.equal(decide("late", due), "refund")
    t.equal(decide("late", { days_late = 1, amount = 49000, amount_paid = 0, amount_due = 50000 }), "wait")
    t.equal(decide("short", {}), "wait")
    t.equal(decide("over", {}), "wait")
    t.equal(decide("second", {}), "refund")
  end,
}

for method, banks in pairs(BANKS) do
  tests["a route leads to what is there: " .. method] = leads(method)
  for _, bank in ipairs(banks) do tests["a route leads to what is there: " .. method .. " of " .. bank] = leads(method, bank) end
end

return { tests = tests }
