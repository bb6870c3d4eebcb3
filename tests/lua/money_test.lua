-- money, as every fee rule and channel uses it (design 7).
return { tests = {
  ["text to rupiah and back"] = function(t)
    t.equal(money.parse("150000", "IDR"), 150000)
    t.equal(money.parse("150000.00", "IDR"), 150000)
    t.equal(money.format(150000, "IDR"), "150000")
  end,
  ["a fraction of a rupiah is refused, not rounded"] = function(t)
    local amount, why = money.parse("150000.50", "IDR")
    t.equal(amount, nil)
    t.truthy(why)
  end,
  ["percent rounds as told"] = function(t)
    t.equal(money.percent(10001, "0.7%", "half_up"), 70)
    t.equal(money.percent(10000, "0.705%", "half_up"), 71)
    t.equal(money.percent(10000, "0.705%", "down"), 70)
  end,
  ["a split adds up to the whole"] = function(t)
    local parts = money.split(100, { 1, 1, 1 })
    t.equal(#parts, 3)
    t.equal(parts[1] + parts[2] + parts[3], 100)
  end,
} }
