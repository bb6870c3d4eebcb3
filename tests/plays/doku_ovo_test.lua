-- OVO through DOKU: the call itself waits for the payer, and its answer is the result.
local play = require "play"

return play({
["paid while the call is open"] = [[
> hook
201 enabled

> create 50000 {"method":"ewallet","channel":"doku_ovo","options":{"phone":"081234567890"}}
201 processing: due 50000, paid 0, doku_ovo sending, shown nothing
event payment.created
webhook payment.created: delivered 200

> pay
200 paid 50000
payment success: due 50000, paid 50000, doku_ovo success
event payment.succeeded
webhook payment.succeeded: delivered 200
books 50000 payment: provider_receivable:doku -> merchant_payable.pending:merchant
books 750 fee: merchant_payable.pending:merchant -> fee_income
books 83 vat: merchant_payable.pending:merchant -> output_vat

> sleep 60s

> show
success: due 50000, paid 50000, doku_ovo success, shown nothing

> refund 20000 {"destination":{"bank":"bca","account_number":"1234567890","account_holder":"Budi"}}
201 pending 20000
refund pending 20000
event refund.created
webhook refund.created: delivered 200
books 20000 refund: merchant_payable.pending:merchant -> refund_clearing

> wait 5d
books 29167 available: merchant_payable.pending:merchant -> merchant_payable:merchant

> balance
available 10029167, pending 0, held 0
]],

["paid after 40 s: the call still waits"] = [[
> create 50000 {"method":"ewallet","channel":"doku_ovo","options":{"phone":"081234567890"}}
201 processing: due 50000, paid 0, doku_ovo sending, shown nothing
event payment.created

> sleep 20s

> pay
200 paid 50000
payment success: due 50000, paid 50000, doku_ovo success
event payment.succeeded
books 50000 payment: provider_receivable:doku -> merchant_payable.pending:merchant
books 750 fee: merchant_payable.pending:merchant -> fee_income
books 83 vat: merchant_payable.pending:merchant -> output_vat
]],

["without a phone it is refused here"] = [[
> create 50000 {"method":"ewallet","channel":"doku_ovo"}
400 INVALID_REQUEST options.phone
]],

["the payer does not answer"] = [[
> create 50000 {"method":"ewallet","channel":"doku_ovo","options":{"phone":"081234567890"}}
201 processing: due 50000, paid 0, doku_ovo sending, shown nothing
event payment.created

> sleep 60s
payment processing: due 50000, paid 0, doku_ovo unknown
event payment.processing

> wait 10m
payment failed: due 50000, paid 0, failure TIMEOUT, doku_ovo failed
event payment.failed

> again
201 as before processing: due 50000, paid 0, doku_ovo sending, shown nothing
]],

["late: a push is paid while it rings, or never"] = [[
> create 50000 {"method":"ewallet","channel":"doku_ovo","options":{"phone":"081234567890"}}
201 processing: due 50000, paid 0, doku_ovo sending, shown nothing
event payment.created

> next late
200

> pay
200 paid 50000
payment success: due 50000, paid 50000, doku_ovo success
event payment.succeeded
books 50000 payment: provider_receivable:doku -> merchant_payable.pending:merchant
books 750 fee: merchant_payable.pending:merchant -> fee_income
books 83 vat: merchant_payable.pending:merchant -> output_vat

> pay
409 INVALID_STATE
]],

["refused: nothing is pushed"] = [[
> next refused
200

> create 50000 {"method":"ewallet","channel":"doku_ovo","options":{"phone":"081234567890"}}
201 failed: due 50000, paid 0, failure INVALID_REQUEST, doku_ovo failed, shown nothing
event payment.created
event payment.failed
]],

["timeout_before_debit: nothing was pushed"] = [[
> next timeout_before_debit
200

> create 50000 {"method":"ewallet","channel":"doku_ovo","options":{"phone":"081234567890"}}
201 processing: due 50000, paid 0, doku_ovo sending, shown nothing
event payment.created

> sleep 60s
payment processing: due 50000, paid 0, doku_ovo unknown
event payment.processing

> wait 10m
payment failed: due 50000, paid 0, failure PROVIDER_ERROR, doku_ovo failed
event payment.failed
]],

["timeout_after_debit: paid, and found by asking"] = [[
> next timeout_after_debit
200

> create 50000 {"method":"ewallet","channel":"doku_ovo","options":{"phone":"081234567890"}}
201 processing: due 50000, paid 0, doku_ovo sending, shown nothing
event payment.created

> pay
200 paid 50000

> sleep 60s
payment processing: due 50000, paid 0, doku_ovo unknown
event payment.processing

> wait 10m
payment success: due 50000, paid 50000, doku_ovo success
event payment.succeeded
books 50000 payment: provider_receivable:doku -> merchant_payable.pending:merchant
books 750 fee: merchant_payable.pending:merchant -> fee_income
books 83 vat: merchant_payable.pending:merchant -> output_vat

> wait 5d
books 49167 available: merchant_payable.pending:merchant -> merchant_payable:merchant
]],

["rubbish: paid, and found by asking"] = [[
> next rubbish
200

> create 50000 {"method":"ewallet","channel":"doku_ovo","options":{"phone":"081234567890"}}
201 processing: due 50000, paid 0, doku_ovo sending, shown nothing
event payment.created

> pay
200 paid 50000
payment processing: due 50000, paid 0, doku_ovo unknown
event payment.processing

> sleep 60s

> wait 10m
payment success: due 50000, paid 50000, doku_ovo success
event payment.succeeded
books 50000 payment: provider_receivable:doku -> merchant_payable.pending:merchant
books 750 fee: merchant_payable.pending:merchant -> fee_income
books 83 vat: merchant_payable.pending:merchant -> output_vat
]],

["server_error: nothing was pushed"] = [[
> next server_error
200

> create 50000 {"method":"ewallet","channel":"doku_ovo","options":{"phone":"081234567890"}}
201 processing: due 50000, paid 0, doku_ovo unknown, shown nothing
event payment.created
event payment.processing

> wait 10m
payment failed: due 50000, paid 0, failure PROVIDER_ERROR, doku_ovo failed
event payment.failed
]],

["maintenance"] = [[
> next maintenance
200

> create 50000 {"method":"ewallet","channel":"doku_ovo","options":{"phone":"081234567890"}}
201 processing: due 50000, paid 0, doku_ovo unknown, shown nothing
event payment.created
event payment.processing

> wait 10m

> next reset
200

> wait 1h
payment failed: due 50000, paid 0, failure PROVIDER_ERROR, doku_ovo failed
event payment.failed
]],

["another amount than asked waits in suspense"] = [[
> create 50000 {"method":"ewallet","channel":"doku_ovo","options":{"phone":"081234567890"}}
201 processing: due 50000, paid 0, doku_ovo sending, shown nothing
event payment.created

> next short
200

> pay
200 paid 49000
payment pending: due 50000, paid 0, doku_ovo pending
event payment.underpaid
books 49000 payment: provider_receivable:doku -> suspense
held 49000: mismatch

> sleep 60s

> wait 2h
payment expired: due 50000, paid 0, doku_ovo expired
event payment.expired
]],
}, "doku")
