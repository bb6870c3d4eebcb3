-- GoPay through Midtrans, from the request to money that goes back the way it came.
local play = require "play"

return play {
["paid, settled, refunded in two parts"] = [[
> create 50000 {"method":"ewallet","channel":"midtrans_gopay"}
201 pending: due 50000, paid 0, midtrans_gopay pending, shown redirect /sand... 74
event payment.created

> show
pending: due 50000, paid 0, midtrans_gopay pending, shown redirect /sand... 74

> pay
200 paid 50000, callback 200
heard midtrans: applied 200
payment success: due 50000, paid 50000, midtrans_gopay success
event payment.succeeded
books 50000 payment: provider_receivable:midtrans -> merchant_payable.pending:merchant
books 901 fee: merchant_payable.pending:merchant -> fee_income
books 99 vat: merchant_payable.pending:merchant -> output_vat

> refund 20000
201 success 20000
payment success: due 50000, paid 50000, refunded 20000, midtrans_gopay success
refund success 20000
event refund.created
event refund.succeeded
books 20000 refund: merchant_payable.pending:merchant -> refund_clearing
books 20000 refund_paid: refund_clearing -> provider_receivable:midtrans

> refund 30001
400 INVALID_REQUEST amount
heard midtrans: applied 200

> refund 30000
201 success 30000
payment success: due 50000, paid 50000, refunded 50000, midtrans_gopay success
refund success 30000
event refund.created
event refund.succeeded
books 29000 refund: merchant_payable.pending:merchant -> refund_clearing
books 1000 refund: merchant_receivable:merchant -> refund_clearing
books 30000 refund_paid: refund_clearing -> provider_receivable:midtrans

> wait 2m
heard midtrans: applied 200
heard midtrans: applied 200
heard midtrans: applied 200

> refund 1
400 INVALID_REQUEST amount

> wait 5d

> balance
available 9999000, pending 0, held 0
]],

["nobody pays"] = [[
> create 50000 {"method":"ewallet","channel":"midtrans_gopay"}
201 pending: due 50000, paid 0, midtrans_gopay pending, shown redirect /sand... 74
event payment.created

> wait 1h
heard midtrans: applied 200
payment expired: due 50000, paid 0, midtrans_gopay expired
event payment.expired

> show
expired: due 50000, paid 0, midtrans_gopay expired, shown redirect /sand... 74
]],

["cancelled"] = [[
> create 50000 {"method":"ewallet","channel":"midtrans_gopay"}
201 pending: due 50000, paid 0, midtrans_gopay pending, shown redirect /sand... 74
event payment.created

> cancel
200 cancelled
payment cancelled: due 50000, paid 0, midtrans_gopay cancelled
event payment.cancelled

> pay
409 INVALID_STATE
heard midtrans: applied 200
]],

["a refund that the bank declines"] = [[
> create 50000 {"method":"ewallet","channel":"midtrans_gopay"}
201 pending: due 50000, paid 0, midtrans_gopay pending, shown redirect /sand... 74
event payment.created

> pay
200 paid 50000, callback 200
heard midtrans: applied 200
payment success: due 50000, paid 50000, midtrans_gopay success
event payment.succeeded
books 50000 payment: provider_receivable:midtrans -> merchant_payable.pending:merchant
books 901 fee: merchant_payable.pending:merchant -> fee_income
books 99 vat: merchant_payable.pending:merchant -> output_vat

> next refused
200

> refund 20000
201 failed 20000
refund failed 20000
event refund.created
event refund.failed
books 20000 refund: merchant_payable.pending:merchant -> refund_clearing
books 20000 refund_failed: refund_clearing -> merchant_payable.pending:merchant

> refund 20000
201 success 20000
payment success: due 50000, paid 50000, refunded 20000, midtrans_gopay success
refund success 20000
event refund.created
event refund.succeeded
books 20000 refund: merchant_payable.pending:merchant -> refund_clearing
books 20000 refund_paid: refund_clearing -> provider_receivable:midtrans
]],

["a refund without an answer"] = [[
> create 50000 {"method":"ewallet","channel":"midtrans_gopay"}
201 pending: due 50000, paid 0, midtrans_gopay pending, shown redirect /sand... 74
event payment.created

> pay
200 paid 50000, callback 200
heard midtrans: applied 200
payment success: due 50000, paid 50000, midtrans_gopay success
event payment.succeeded
books 50000 payment: provider_receivable:midtrans -> merchant_payable.pending:merchant
books 901 fee: merchant_payable.pending:merchant -> fee_income
books 99 vat: merchant_payable.pending:merchant -> output_vat

> next timeout_after_debit
200

> refund 20000
201 pending 20000
heard midtrans: applied 200
refund pending 20000
event refund.created
books 20000 refund: merchant_payable.pending:merchant -> refund_clearing

> sleep 60s
heard midtrans: applied 200
refund processing 20000

> wait 10m
payment success: due 50000, paid 50000, refunded 20000, midtrans_gopay success
refund success 20000
event refund.succeeded
books 20000 refund_paid: refund_clearing -> provider_receivable:midtrans
]],
}
