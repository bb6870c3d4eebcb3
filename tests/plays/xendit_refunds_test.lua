-- Refunds through Xendit: they are asked for, and done some time later. In parts, whole only (LinkAja), and
-- what becomes of one that goes wrong.
local play = require "play"

return play({
["in two parts, and not more"] = [[
> create 50000 {"method":"ewallet","bank":"dana"}
201 pending: due 50000, paid 0, xendit_dana pending, shown redirect /sand... 59
event payment.created

> pay
200 paid 50000, callback 200
heard xendit: applied 200
payment success: due 50000, paid 50000, xendit_dana success
event payment.succeeded
books 50000 payment: provider_receivable:xendit -> merchant_payable.pending:merchant
books 750 fee: merchant_payable.pending:merchant -> fee_income
books 83 vat: merchant_payable.pending:merchant -> output_vat

> refund 20000
201 processing 20000
refund processing 20000
event refund.created
books 20000 refund: merchant_payable.pending:merchant -> refund_clearing

> refund 30001
400 INVALID_REQUEST amount

> refund 30000
201 processing 30000
refund processing 30000
event refund.created
books 29167 refund: merchant_payable.pending:merchant -> refund_clearing
books 833 refund: merchant_receivable:merchant -> refund_clearing

> wait 5m
payment success: due 50000, paid 50000, refunded 50000, xendit_dana success
refund success 20000
refund success 30000
event refund.succeeded
event refund.succeeded
books 20000 refund_paid: refund_clearing -> provider_receivable:xendit
books 30000 refund_paid: refund_clearing -> provider_receivable:xendit

> refund 1
400 INVALID_REQUEST amount
]],

["LinkAja gives the whole back only"] = [[
> create 50000 {"method":"ewallet","bank":"linkaja"}
201 pending: due 50000, paid 0, xendit_linkaja pending, shown redirect /sand... 59
event payment.created

> pay
200 paid 50000, callback 200
heard xendit: applied 200
payment success: due 50000, paid 50000, xendit_linkaja success
event payment.succeeded
books 50000 payment: provider_receivable:xendit -> merchant_payable.pending:merchant
books 750 fee: merchant_payable.pending:merchant -> fee_income
books 83 vat: merchant_payable.pending:merchant -> output_vat

> refund 20000
201 failed 20000
refund failed 20000
event refund.created
event refund.failed
books 20000 refund: merchant_payable.pending:merchant -> refund_clearing
books 20000 refund_failed: refund_clearing -> merchant_payable.pending:merchant

> refund 50000
201 processing 50000
refund processing 50000
event refund.created
books 49167 refund: merchant_payable.pending:merchant -> refund_clearing
books 833 refund: merchant_receivable:merchant -> refund_clearing

> wait 5m
payment success: due 50000, paid 50000, refunded 50000, xendit_linkaja success
refund success 50000
event refund.succeeded
books 50000 refund_paid: refund_clearing -> provider_receivable:xendit
]],

["one that Xendit declines"] = [[
> create 50000 {"method":"ewallet","bank":"dana"}
201 pending: due 50000, paid 0, xendit_dana pending, shown redirect /sand... 59
event payment.created

> pay
200 paid 50000, callback 200
heard xendit: applied 200
payment success: due 50000, paid 50000, xendit_dana success
event payment.succeeded
books 50000 payment: provider_receivable:xendit -> merchant_payable.pending:merchant
books 750 fee: merchant_payable.pending:merchant -> fee_income
books 83 vat: merchant_payable.pending:merchant -> output_vat

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
201 processing 20000
refund processing 20000
event refund.created
books 20000 refund: merchant_payable.pending:merchant -> refund_clearing

> wait 5m
payment success: due 50000, paid 50000, refunded 20000, xendit_dana success
refund success 20000
event refund.succeeded
books 20000 refund_paid: refund_clearing -> provider_receivable:xendit
]],

["one without an answer"] = [[
> create 50000 {"method":"ewallet","bank":"dana"}
201 pending: due 50000, paid 0, xendit_dana pending, shown redirect /sand... 59
event payment.created

> pay
200 paid 50000, callback 200
heard xendit: applied 200
payment success: due 50000, paid 50000, xendit_dana success
event payment.succeeded
books 50000 payment: provider_receivable:xendit -> merchant_payable.pending:merchant
books 750 fee: merchant_payable.pending:merchant -> fee_income
books 83 vat: merchant_payable.pending:merchant -> output_vat

> next timeout_after_debit
200

> refund 20000
201 pending 20000
refund pending 20000
event refund.created
books 20000 refund: merchant_payable.pending:merchant -> refund_clearing

> sleep 60s
refund processing 20000

> wait 10m
payment success: due 50000, paid 50000, refunded 20000, xendit_dana success
refund success 20000
event refund.succeeded
books 20000 refund_paid: refund_clearing -> provider_receivable:xendit
]],

["one that never arrived: it may be on its way for a day, then it has failed"] = [[
> create 50000 {"method":"ewallet","bank":"dana"}
201 pending: due 50000, paid 0, xendit_dana pending, shown redirect /sand... 59
event payment.created

> pay
200 paid 50000, callback 200
heard xendit: applied 200
payment success: due 50000, paid 50000, xendit_dana success
event payment.succeeded
books 50000 payment: provider_receivable:xendit -> merchant_payable.pending:merchant
books 750 fee: merchant_payable.pending:merchant -> fee_income
books 83 vat: merchant_payable.pending:merchant -> output_vat

> next timeout_before_debit
200

> refund 20000
201 pending 20000
refund pending 20000
event refund.created
books 20000 refund: merchant_payable.pending:merchant -> refund_clearing

> sleep 60s
refund processing 20000

> wait 10m

> refund 30001
400 INVALID_REQUEST amount

> wait 23h
books 29167 available: merchant_payable.pending:merchant -> merchant_payable:merchant

> wait 2h
refund failed 20000
event refund.failed
books 20000 refund_failed: refund_clearing -> merchant_payable.pending:merchant
books 20000 available: merchant_payable.pending:merchant -> merchant_payable:merchant

> refund 20000
201 processing 20000
refund processing 20000
event refund.created
books 20000 refund: merchant_payable:merchant -> refund_clearing

> wait 10m
payment success: due 50000, paid 50000, refunded 20000, xendit_dana success
refund success 20000
event refund.succeeded
books 20000 refund_paid: refund_clearing -> provider_receivable:xendit
]],

["one that Xendit broke on, and one that was done and answered with rubbish"] = [[
> create 50000 {"method":"ewallet","bank":"dana"}
201 pending: due 50000, paid 0, xendit_dana pending, shown redirect /sand... 59
event payment.created

> pay
200 paid 50000, callback 200
heard xendit: applied 200
payment success: due 50000, paid 50000, xendit_dana success
event payment.succeeded
books 50000 payment: provider_receivable:xendit -> merchant_payable.pending:merchant
books 750 fee: merchant_payable.pending:merchant -> fee_income
books 83 vat: merchant_payable.pending:merchant -> output_vat

> next server_error
200

> refund 20000
201 processing 20000
refund processing 20000
event refund.created
books 20000 refund: merchant_payable.pending:merchant -> refund_clearing

> wait 25h
refund failed 20000
event refund.failed
books 29167 available: merchant_payable.pending:merchant -> merchant_payable:merchant
books 20000 refund_failed: refund_clearing -> merchant_payable.pending:merchant
books 20000 available: merchant_payable.pending:merchant -> merchant_payable:merchant

> next rubbish
200

> refund 20000
201 processing 20000
refund processing 20000
event refund.created
books 20000 refund: merchant_payable:merchant -> refund_clearing

> wait 10m
payment success: due 50000, paid 50000, refunded 20000, xendit_dana success
refund success 20000
event refund.succeeded
books 20000 refund_paid: refund_clearing -> provider_receivable:xendit
]],

["OVO's goes by hand"] = [[
> create 50000 {"method":"ewallet","bank":"ovo","options":{"phone":"081234567890"}}
201 pending: due 50000, paid 0, xendit_ovo pending, shown push Open ... 37
event payment.created

> pay
200 paid 50000, callback 200
heard xendit: applied 200
payment success: due 50000, paid 50000, xendit_ovo success
event payment.succeeded
books 50000 payment: provider_receivable:xendit -> merchant_payable.pending:merchant
books 750 fee: merchant_payable.pending:merchant -> fee_income
books 83 vat: merchant_payable.pending:merchant -> output_vat

> refund 20000
400 INVALID_REQUEST destination
]],

["a card's, by its invoice"] = [[
> create 100000 {"method":"card"}
201 pending: due 100000, paid 0, xendit_card pending, shown redirect /sand... 44
event payment.created

> pay
200 paid 100000, callback 200
heard xendit: applied 200
payment success: due 100000, paid 100000, xendit_card success
event payment.succeeded
books 100000 payment: provider_receivable:xendit -> merchant_payable.pending:merchant
books 4900 fee: merchant_payable.pending:merchant -> fee_income
books 539 vat: merchant_payable.pending:merchant -> output_vat

> refund 40000
201 processing 40000
refund processing 40000
event refund.created
books 40000 refund: merchant_payable.pending:merchant -> refund_clearing

> wait 5m
payment success: due 100000, paid 100000, refunded 40000, xendit_card success
refund success 40000
event refund.succeeded
books 40000 refund_paid: refund_clearing -> provider_receivable:xendit
]],

["a card's, whole, minutes after it was paid: Xendit has one call for what has settled and what has not"] = [[
> create 100000 {"method":"card"}
201 pending: due 100000, paid 0, xendit_card pending, shown redirect /sand... 44
event payment.created

> pay
200 paid 100000, callback 200
heard xendit: applied 200
payment success: due 100000, paid 100000, xendit_card success
event payment.succeeded
books 100000 payment: provider_receivable:xendit -> merchant_payable.pending:merchant
books 4900 fee: merchant_payable.pending:merchant -> fee_income
books 539 vat: merchant_payable.pending:merchant -> output_vat

> refund 100000
201 processing 100000
refund processing 100000
event refund.created
books 94561 refund: merchant_payable.pending:merchant -> refund_clearing
books 5439 refund: merchant_receivable:merchant -> refund_clearing

> wait 5m
payment success: due 100000, paid 100000, refunded 100000, xendit_card success
refund success 100000
event refund.succeeded
books 100000 refund_paid: refund_clearing -> provider_receivable:xendit

> sync
200 success

> wait 2d
]],

["a card's, a part minutes after it was paid, the rest days later"] = [[
> create 100000 {"method":"card"}
201 pending: due 100000, paid 0, xendit_card pending, shown redirect /sand... 44
event payment.created

> pay
200 paid 100000, callback 200
heard xendit: applied 200
payment success: due 100000, paid 100000, xendit_card success
event payment.succeeded
books 100000 payment: provider_receivable:xendit -> merchant_payable.pending:merchant
books 4900 fee: merchant_payable.pending:merchant -> fee_income
books 539 vat: merchant_payable.pending:merchant -> output_vat

> refund 40000
201 processing 40000
refund processing 40000
event refund.created
books 40000 refund: merchant_payable.pending:merchant -> refund_clearing

> wait 3d
payment success: due 100000, paid 100000, refunded 40000, xendit_card success
refund success 40000
event refund.succeeded
books 40000 refund_paid: refund_clearing -> provider_receivable:xendit
books 54561 available: merchant_payable.pending:merchant -> merchant_payable:merchant

> refund 60000
201 processing 60000
refund processing 60000
event refund.created
books 5439 refund: merchant_receivable:merchant -> refund_clearing
books 54561 refund: merchant_payable:merchant -> refund_clearing

> wait 5m
payment success: due 100000, paid 100000, refunded 100000, xendit_card success
refund success 60000
event refund.succeeded
books 60000 refund_paid: refund_clearing -> provider_receivable:xendit
]],

["Kredivo's, within fourteen days"] = [[
> create 100000 {"method":"paylater","bank":"kredivo"}
201 pending: due 100000, paid 0, xendit_kredivo pending, shown redirect /sand... 44
event payment.created

> pay
200 paid 100000, callback 200
heard xendit: applied 200
payment success: due 100000, paid 100000, xendit_kredivo success
event payment.succeeded
books 100000 payment: provider_receivable:xendit -> merchant_payable.pending:merchant
books 2300 fee: merchant_payable.pending:merchant -> fee_income
books 253 vat: merchant_payable.pending:merchant -> output_vat

> refund 40000
201 processing 40000
refund processing 40000
event refund.created
books 40000 refund: merchant_payable.pending:merchant -> refund_clearing

> wait 5m
payment success: due 100000, paid 100000, refunded 40000, xendit_kredivo success
refund success 40000
event refund.succeeded
books 40000 refund_paid: refund_clearing -> provider_receivable:xendit

> wait 15d
books 57447 available: merchant_payable.pending:merchant -> merchant_payable:merchant

> refund 1000
201 failed 1000
refund failed 1000
event refund.created
event refund.failed
books 1000 refund: merchant_payable:merchant -> refund_clearing
books 1000 refund_failed: refund_clearing -> merchant_payable:merchant
]],

["Akulaku's goes by hand"] = [[
> create 100000 {"method":"paylater","bank":"akulaku"}
201 pending: due 100000, paid 0, xendit_akulaku pending, shown redirect /sand... 44
event payment.created

> pay
200 paid 100000, callback 200
heard xendit: applied 200
payment success: due 100000, paid 100000, xendit_akulaku success
event payment.succeeded
books 100000 payment: provider_receivable:xendit -> merchant_payable.pending:merchant
books 2300 fee: merchant_payable.pending:merchant -> fee_income
books 253 vat: merchant_payable.pending:merchant -> output_vat

> refund 40000 {"destination":{"bank":"bca","account_number":"1234567890","account_holder":"Budi"}}
201 pending 40000
refund pending 40000
event refund.created
books 40000 refund: merchant_payable.pending:merchant -> refund_clearing
]],
}, "xendit")
