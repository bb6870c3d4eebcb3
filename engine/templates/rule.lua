-- @NAME@: what a payment by @PROVIDER@ costs. Pure: no I/O, no clock, whole numbers.
return {
  api = 1, kind = "fee", priority = 100, from = "2026-01-01",
  match = { provider = "@PROVIDER@" },
  fee = function(p)
    local mdr = money.percent(p.amount, "2%", "half_up")
    return {
      bearer = "merchant",
      lines = { { "mdr", mdr }, { "ppn", money.percent(mdr, "11%", "half_up") } },
    }
  end,
}
