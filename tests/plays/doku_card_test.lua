-- Cards through DOKU that are given back: on the day, which DOKU calls VOID, and when the money has settled.
local play = require "play"

return play({
["whole, on the day it was paid"] = [[
> create 150000 {"method":"card","channel":"doku_card"}
201 pending: due 150000, paid 0, doku_card pending, shown redirect /sand... 32
event payment.created

> pay
200 paid 150000, callback 200
heard doku: applied 200
payment success: due 150000, paid 150000, doku_card success
event payment.succeeded
books 150000 payment: provider_receivable:doku -> merchant_payable.pending:merchant
books 6200 fee: merchant_payable.pending:merchant -> fee_income
books 682 vat: merchant_payable.pending:merchant -> output_vat

> refund 150000
201 success 150000
payment success: due 150000, paid 150000, refunded 150000, doku_card success
refund success 150000
event refund.created
event refund.succeeded
books 143118 refund: merchant_payable.pending:merchant -> refund_clearing
books 6882 refund: merchant_receivable:merchant -> refund_clearing
books 150000 refund_paid: refund_clearing -> provider_receivable:doku

> sync
200 success

> wait 2d
]],

["whole, on the day it was paid, without an answer"] = [[
> create 150000 {"method":"card","channel":"doku_card"}
201 pending: due 150000, paid 0, doku_card pending, shown redirect /sand... 32
event payment.created

> pay
200 paid 150000, callback 200
heard doku: applied 200
payment success: due 150000, paid 150000, doku_card success
event payment.succeeded
books 150000 payment: provider_receivable:doku -> merchant_payable.pending:merchant
books 6200 fee: merchant_payable.pending:merchant -> fee_income
books 682 vat: merchant_payable.pending:merchant -> output_vat

> next timeout_after_debit
200

> refund 150000
201 pending 150000
refund pending 150000
event refund.created
books 143118 refund: merchant_payable.pending:merchant -> refund_clearing
books 6882 refund: merchant_receivable:merchant -> refund_clearing

> sleep 60s
refund processing 150000

> wait 10m
payment success: due 150000, paid 150000, refunded 150000, doku_card success
refund success 150000
event refund.succeeded
books 150000 refund_paid: refund_clearing -> provider_receivable:doku
]],

["a part on the day, the rest two days later"] = [[
> create 150000 {"method":"card","channel":"doku_card"}
201 pending: due 150000, paid 0, doku_card pending, shown redirect /sand... 32
event payment.created

> pay
200 paid 150000, callback 200
heard doku: applied 200
payment success: due 150000, paid 150000, doku_card success
event payment.succeeded
books 150000 payment: provider_receivable:doku -> merchant_payable.pending:merchant
books 6200 fee: merchant_payable.pending:merchant -> fee_income
books 682 vat: merchant_payable.pending:merchant -> output_vat

> refund 20000
201 success 20000
payment success: due 150000, paid 150000, refunded 20000, doku_card success
refund success 20000
event refund.created
event refund.succeeded
books 20000 refund: merchant_payable.pending:merchant -> refund_clearing
books 20000 refund_paid: refund_clearing -> provider_receivable:doku

> wait 2d
books 123118 available: merchant_payable.pending:merchant -> merchant_payable:merchant

> refund 130000
201 success 130000
payment success: due 150000, paid 150000, refunded 150000, doku_card success
refund success 130000
event refund.created
event refund.succeeded
books 6882 refund: merchant_receivable:merchant -> refund_clearing
books 123118 refund: merchant_payable:merchant -> refund_clearing
books 130000 refund_paid: refund_clearing -> provider_receivable:doku
]],

["whole, two days later"] = [[
> create 150000 {"method":"card","channel":"doku_card"}
201 pending: due 150000, paid 0, doku_card pending, shown redirect /sand... 32
event payment.created

> pay
200 paid 150000, callback 200
heard doku: applied 200
payment success: due 150000, paid 150000, doku_card success
event payment.succeeded
books 150000 payment: provider_receivable:doku -> merchant_payable.pending:merchant
books 6200 fee: merchant_payable.pending:merchant -> fee_income
books 682 vat: merchant_payable.pending:merchant -> output_vat

> wait 2d
books 143118 available: merchant_payable.pending:merchant -> merchant_payable:merchant

> refund 150000
201 success 150000
payment success: due 150000, paid 150000, refunded 150000, doku_card success
refund success 150000
event refund.created
event refund.succeeded
books 6882 refund: merchant_receivable:merchant -> refund_clearing
books 143118 refund: merchant_payable:merchant -> refund_clearing
books 150000 refund_paid: refund_clearing -> provider_receivable:doku
]],
}, "doku")
