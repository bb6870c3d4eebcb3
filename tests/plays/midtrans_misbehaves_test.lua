-- Each way in which Midtrans can misbehave, in the words that its simulator knows.
local play = require "play"

return play {
["late: within a day it counts"] = [[
> create 150000 {"method":"virtual_account","bank":"bca"}
201 pending: due 150000, paid 0, midtrans_bca_va pending, shown va_number 81278... 16
event payment.created

> next late
200

> pay
200 pays later

> wait 24h
heard midtrans: applied 200
payment expired: due 150000, paid 0, midtrans_bca_va expired
event payment.expired

> wait 2h
heard midtrans: applied 200
payment success: due 150000, paid 150000, midtrans_bca_va success
event payment.late
event payment.succeeded
books 150000 payment: provider_receivable:midtrans -> suspense
books 150000 payment: suspense -> merchant_payable.pending:merchant
books 4000 fee: merchant_payable.pending:merchant -> fee_income
books 440 vat: merchant_payable.pending:merchant -> output_vat
]],

["late, and Midtrans cannot be asked when it tells: we ask again, before it tells again"] = [[
> create 150000 {"method":"virtual_account","bank":"bca"}
201 pending: due 150000, paid 0, midtrans_bca_va pending, shown va_number 81278... 16
event payment.created

> next late
200

> pay
200 pays later

> wait 24h
heard midtrans: applied 200
payment expired: due 150000, paid 0, midtrans_bca_va expired
event payment.expired

> next server_error
200

> wait 60m
event payment.late
books 150000 payment: provider_receivable:midtrans -> suspense
held 150000: late

> wait 3m
heard midtrans: applied 200
]],

["duplicate: booked once"] = [[
> create 150000 {"method":"virtual_account","bank":"bca"}
201 pending: due 150000, paid 0, midtrans_bca_va pending, shown va_number 81278... 16
event payment.created

> next duplicate
200

> pay
200 paid 150000, callback 200, callback 200
heard midtrans: applied 200
payment success: due 150000, paid 150000, midtrans_bca_va success
event payment.succeeded
books 150000 payment: provider_receivable:midtrans -> merchant_payable.pending:merchant
books 4000 fee: merchant_payable.pending:merchant -> fee_income
books 440 vat: merchant_payable.pending:merchant -> output_vat

> balance
available 10000000, pending 145560, held 0
]],

["reorder: the older one comes after the newer"] = [[
> create 150000 {"method":"virtual_account","bank":"bca"}
201 pending: due 150000, paid 0, midtrans_bca_va pending, shown va_number 81278... 16
event payment.created

> next reorder
200

> pay
200 paid 150000

> create 20000 {"method":"virtual_account","bank":"bca"}
201 pending: due 20000, paid 0, midtrans_bca_va pending, shown va_number 81278... 16
event payment.created

> pay
200 paid 20000, callback 200, callback 200
heard midtrans: applied 200
heard midtrans: applied 200
payment success: due 20000, paid 20000, midtrans_bca_va success
event payment.succeeded
event payment.succeeded
books 20000 payment: provider_receivable:midtrans -> merchant_payable.pending:merchant
books 4000 fee: merchant_payable.pending:merchant -> fee_income
books 440 vat: merchant_payable.pending:merchant -> output_vat
books 150000 payment: provider_receivable:midtrans -> merchant_payable.pending:merchant
books 4000 fee: merchant_payable.pending:merchant -> fee_income
books 440 vat: merchant_payable.pending:merchant -> output_vat
]],

["short: the payment stays, the money waits"] = [[
> create 150000 {"method":"virtual_account","bank":"bca"}
201 pending: due 150000, paid 0, midtrans_bca_va pending, shown va_number 81278... 16
event payment.created

> next short
200

> pay
200 paid 149000, callback 200
heard midtrans: applied 200
event payment.underpaid
books 149000 payment: provider_receivable:midtrans -> suspense
held 149000: mismatch

> show
pending: due 150000, paid 0, midtrans_bca_va pending, shown va_number 81278... 16

> wait 1h
]],

["over: the payment stays, the money waits"] = [[
> create 150000 {"method":"virtual_account","bank":"bca"}
201 pending: due 150000, paid 0, midtrans_bca_va pending, shown va_number 81278... 16
event payment.created

> next over
200

> pay
200 paid 151000, callback 200
heard midtrans: applied 200
event payment.overpaid
books 151000 payment: provider_receivable:midtrans -> suspense
held 151000: mismatch

> show
pending: due 150000, paid 0, midtrans_bca_va pending, shown va_number 81278... 16

> wait 1h
]],

["refused: failed, and the order is free"] = [[
> next refused
200

> create 150000 {"method":"virtual_account","bank":"bca"}
201 failed: due 150000, paid 0, failure INVALID_REQUEST, midtrans_bca_va failed, shown nothing
event payment.created
event payment.failed

> create 150000 {"method":"virtual_account","bank":"bca"}
201 pending: due 150000, paid 0, midtrans_bca_va pending, shown va_number 81278... 16
event payment.created
]],

["timeout_before_debit: nothing was made"] = [[
> next timeout_before_debit
200

> create 150000 {"method":"qris"}
201 processing: due 150000, paid 0, midtrans_qris sending, shown nothing
event payment.created

> sleep 60s
payment processing: due 150000, paid 0, midtrans_qris unknown
event payment.processing

> wait 10m
payment failed: due 150000, paid 0, failure PROVIDER_ERROR, midtrans_qris failed
event payment.failed

> again
201 as before processing: due 150000, paid 0, midtrans_qris sending, shown nothing
]],

["timeout_after_debit: it was made, and is found"] = [[
> next timeout_after_debit
200

> create 150000 {"method":"qris"}
201 processing: due 150000, paid 0, midtrans_qris sending, shown nothing
event payment.created

> sleep 60s
payment processing: due 150000, paid 0, midtrans_qris unknown
event payment.processing

> sync
200 pending
payment pending: due 150000, paid 0, midtrans_qris pending

> show
pending: due 150000, paid 0, midtrans_qris pending, shown qr no qr_string

> pay
200 paid 150000, callback 200
heard midtrans: applied 200
payment success: due 150000, paid 150000, midtrans_qris success
event payment.succeeded
books 150000 payment: provider_receivable:midtrans -> merchant_payable.pending:merchant
books 946 fee: merchant_payable.pending:merchant -> fee_income
books 104 vat: merchant_payable.pending:merchant -> output_vat
]],

["timeout_after_debit: the number of a virtual account is found as well"] = [[
> next timeout_after_debit
200

> create 150000 {"method":"virtual_account","bank":"bca"}
201 processing: due 150000, paid 0, midtrans_bca_va sending, shown nothing
event payment.created

> sleep 60s
payment processing: due 150000, paid 0, midtrans_bca_va unknown
event payment.processing

> wait 20m
payment pending: due 150000, paid 0, midtrans_bca_va pending

> show
pending: due 150000, paid 0, midtrans_bca_va pending, shown va_number 81278... 16
]],

["timeout_after_debit: paid before we asked"] = [[
> next timeout_after_debit
200

> create 150000 {"method":"qris"}
201 processing: due 150000, paid 0, midtrans_qris sending, shown nothing
event payment.created

> pay
200 paid 150000, callback 200
heard midtrans: applied 200
payment success: due 150000, paid 150000, midtrans_qris success
event payment.succeeded
books 150000 payment: provider_receivable:midtrans -> merchant_payable.pending:merchant
books 946 fee: merchant_payable.pending:merchant -> fee_income
books 104 vat: merchant_payable.pending:merchant -> output_vat

> sleep 60s

> wait 10m
]],

["server_error: nothing was made"] = [[
> next server_error
200

> create 150000 {"method":"qris"}
201 processing: due 150000, paid 0, midtrans_qris unknown, shown nothing
event payment.created
event payment.processing

> wait 10m
payment failed: due 150000, paid 0, failure PROVIDER_ERROR, midtrans_qris failed
event payment.failed
]],

["rubbish: it was made, and is found"] = [[
> next rubbish
200

> create 150000 {"method":"qris"}
201 processing: due 150000, paid 0, midtrans_qris unknown, shown nothing
event payment.created
event payment.processing

> wait 10m
payment pending: due 150000, paid 0, midtrans_qris pending

> pay
200 paid 150000, callback 200
heard midtrans: applied 200
payment success: due 150000, paid 150000, midtrans_qris success
event payment.succeeded
books 150000 payment: provider_receivable:midtrans -> merchant_payable.pending:merchant
books 946 fee: merchant_payable.pending:merchant -> fee_income
books 104 vat: merchant_payable.pending:merchant -> output_vat
]],

["slow: it comes within the wait"] = [[
> next slow
200

> create 150000 {"method":"virtual_account","bank":"bca"}
201 pending: due 150000, paid 0, midtrans_bca_va pending, shown va_number 81278... 16
event payment.created

> pay
200 paid 150000, callback 200
heard midtrans: applied 200
payment success: due 150000, paid 150000, midtrans_bca_va success
event payment.succeeded
books 150000 payment: provider_receivable:midtrans -> merchant_payable.pending:merchant
books 4000 fee: merchant_payable.pending:merchant -> fee_income
books 440 vat: merchant_payable.pending:merchant -> output_vat
]],

["wrong_signature: 401, nothing changes, it comes again"] = [[
> create 150000 {"method":"virtual_account","bank":"bca"}
201 pending: due 150000, paid 0, midtrans_bca_va pending, shown va_number 81278... 16
event payment.created

> next wrong_signature
200

> pay
200 paid 150000, callback 401

> show
pending: due 150000, paid 0, midtrans_bca_va pending, shown va_number 81278... 16

> wait 5m
heard midtrans: applied 200
payment success: due 150000, paid 150000, midtrans_bca_va success
event payment.succeeded
books 150000 payment: provider_receivable:midtrans -> merchant_payable.pending:merchant
books 4000 fee: merchant_payable.pending:merchant -> fee_income
books 440 vat: merchant_payable.pending:merchant -> output_vat
]],

["deny_after_settlement: the money is taken back"] = [[
> create 150000 {"method":"virtual_account","bank":"bca"}
201 pending: due 150000, paid 0, midtrans_bca_va pending, shown va_number 81278... 16
event payment.created

> next deny_after_settlement
200

> pay
200 paid 150000, callback 200, callback 200
heard midtrans: applied 200
heard midtrans: applied 200
payment success: due 150000, paid 150000, reversed 150000, midtrans_bca_va success
event payment.succeeded
event payment.reversed
books 150000 payment: provider_receivable:midtrans -> merchant_payable.pending:merchant
books 4000 fee: merchant_payable.pending:merchant -> fee_income
books 440 vat: merchant_payable.pending:merchant -> output_vat
books 145560 reversal: merchant_payable.pending:merchant -> provider_receivable:midtrans
books 4440 reversal: merchant_receivable:merchant -> provider_receivable:midtrans

> balance
available 9995560, pending 0, held 0
]],

["maintenance: nothing for a while, then as before"] = [[
> next maintenance
200

> create 150000 {"method":"virtual_account","bank":"bca"}
201 processing: due 150000, paid 0, midtrans_bca_va unknown, shown nothing
event payment.created
event payment.processing

> wait 10m

> next reset
200

> wait 1h
payment failed: due 150000, paid 0, failure PROVIDER_ERROR, midtrans_bca_va failed
event payment.failed

> create 20000 {"method":"virtual_account","bank":"bca"}
201 pending: due 20000, paid 0, midtrans_bca_va pending, shown va_number 81278... 16
event payment.created

> pay
200 paid 20000, callback 200
heard midtrans: applied 200
payment success: due 20000, paid 20000, midtrans_bca_va success
event payment.succeeded
books 20000 payment: provider_receivable:midtrans -> merchant_payable.pending:merchant
books 4000 fee: merchant_payable.pending:merchant -> fee_income
books 440 vat: merchant_payable.pending:merchant -> output_vat
]],

["a cancel without an answer is no refusal, and is not asked for twice"] = [[
> create 150000 {"method":"virtual_account","bank":"bca"}
201 pending: due 150000, paid 0, midtrans_bca_va pending, shown va_number 81278... 16
event payment.created

> next timeout_before_debit
200

> cancel
200 pending

> cancel
200 pending

> sleep 60s

> wait 10m

> cancel
200 cancelled
payment cancelled: due 150000, paid 0, midtrans_bca_va cancelled
event payment.cancelled
]],

["the same request again"] = [[
> create 150000 {"method":"virtual_account","bank":"bca"}
201 pending: due 150000, paid 0, midtrans_bca_va pending, shown va_number 81278... 16
event payment.created

> again
201 as before pending: due 150000, paid 0, midtrans_bca_va pending, shown va_number 81278... 16

> pay
200 paid 150000, callback 200
heard midtrans: applied 200
payment success: due 150000, paid 150000, midtrans_bca_va success
event payment.succeeded
books 150000 payment: provider_receivable:midtrans -> merchant_payable.pending:merchant
books 4000 fee: merchant_payable.pending:merchant -> fee_income
books 440 vat: merchant_payable.pending:merchant -> output_vat

> again
201 as before pending: due 150000, paid 0, midtrans_bca_va pending, shown va_number 81278... 16
]],
}
