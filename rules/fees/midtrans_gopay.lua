-- rules/fees/midtrans_gopay.lua: GoPay and ShopeePay through Midtrans: 2 %, PPN within it (11/111). [list price]
return {
  api = 1, kind = "fee", priority = 50, from = "2022-04-01",
  match = { channel = { "midtrans_gopay", "midtrans_shopeepay" } },
  fee = function(p)
    local whole = money.percent(p.amount, "2%", "half_up")
    local mdr = money.ratio(whole, 100, 111, "half_up")
    return { bearer = "merchant", lines = { { "mdr", mdr }, { "ppn", whole - mdr } } }
  end,
}
