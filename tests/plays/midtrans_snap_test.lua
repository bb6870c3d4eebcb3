-- Midtrans' Snap page where the payer picks a virtual account: it may be taken back once it is settled, and the
-- page goes on after a denial.
local play = require "play"

return play {
["taken back, and that is heard before the payment: nothing came"] = [[
> create 150000 {"method":"card","channel":"midtrans_snap","options":{"enabled_payments":["bca_va"]}}
201 pending: due 150000, paid 0, midtrans_snap pending, shown redirect /sand... 74
event payment.created

> next reorder
200

> next deny_after_settlement
200

> pay
200 paid 150000, callback 200, callback 200
heard midtrans: applied 200
heard midtrans: applied 200

> show
pending: due 150000, paid 0, midtrans_snap pending, shown redirect /sand... 74

> wait 26h
payment expired: due 150000, paid 0, midtrans_snap expired
event payment.expired
]],

["taken back after it was heard that it is paid"] = [[
> create 150000 {"method":"card","channel":"midtrans_snap","options":{"enabled_payments":["bca_va"]}}
201 pending: due 150000, paid 0, midtrans_snap pending, shown redirect /sand... 74
event payment.created

> next deny_after_settlement
200

> pay
200 paid 150000, callback 200, callback 200
heard midtrans: applied 200
heard midtrans: applied 200
payment success: due 150000, paid 150000, reversed 150000, midtrans_snap success
event payment.succeeded
event payment.reversed
books 150000 payment: provider_receivable:midtrans -> merchant_payable.pending:merchant
books 6350 fee: merchant_payable.pending:merchant -> fee_income
books 699 vat: merchant_payable.pending:merchant -> output_vat
books 142951 reversal: merchant_payable.pending:merchant -> provider_receivable:midtrans
books 7049 reversal: merchant_receivable:merchant -> provider_receivable:midtrans
]],
}
