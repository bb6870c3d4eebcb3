-- A payment with more than one way to be paid: the payer changed his mind, and each way is its own.
local play = require "play"

return play {
["the merchant's cancel is not the withdrawal of an older way"] = [[
> create 50000
201 pending: due 50000, paid 0, shown nothing
event payment.created

> choose virtual_account.bca
303 pending: due 50000, paid 0, midtrans_bca_va pending, shown va_number 81278... 16

> next timeout_before_debit
200

> choose virtual_account.cimb
303 pending: due 50000, paid 0, midtrans_bca_va superseded, xendit_cimb_va pending, shown va_number 93490... 16

> cancel
200 cancelled
payment cancelled: due 50000, paid 0, midtrans_bca_va superseded, xendit_cimb_va cancelled
event payment.cancelled
]],

["the second payment, by another provider's way, goes back through that one"] = [[
> create 50000
201 pending: due 50000, paid 0, shown nothing
event payment.created

> choose virtual_account.bca
303 pending: due 50000, paid 0, midtrans_bca_va pending, shown va_number 81278... 16

> next timeout_before_debit
200

> choose ewallet.dana
303 pending: due 50000, paid 0, midtrans_bca_va superseded, xendit_dana pending, shown redirect /sand... 59

> pay way 1
200 paid 50000, callback 200
heard midtrans: applied 200
payment success: due 50000, paid 50000, midtrans_bca_va success, xendit_dana superseded
event payment.succeeded
books 50000 payment: provider_receivable:midtrans -> merchant_payable.pending:merchant
books 4000 fee: merchant_payable.pending:merchant -> fee_income
books 440 vat: merchant_payable.pending:merchant -> output_vat

> pay way 2
200 paid 50000, callback 200
heard xendit: applied 200
refund processing 50000
event payment.overpaid
event refund.created
books 50000 payment: provider_receivable:xendit -> suspense
books 50000 refund: suspense -> refund_clearing

> wait 1h
refund success 50000
event refund.succeeded
books 50000 refund_paid: refund_clearing -> provider_receivable:xendit
]],

["an older way's money that came after the cancel: it goes back by that way"] = [[
> create 50000
201 pending: due 50000, paid 0, shown nothing
event payment.created

> choose ewallet.dana
303 pending: due 50000, paid 0, xendit_dana pending, shown redirect /sand... 59

> choose qris
303 pending: due 50000, paid 0, xendit_dana superseded, midtrans_qris pending, shown qr 00020... 181

> cancel
200 cancelled
payment cancelled: due 50000, paid 0, xendit_dana superseded, midtrans_qris cancelled
event payment.cancelled

> pay way 1
200 paid 50000, callback 200
heard midtrans: applied 200
heard xendit: applied 200
refund processing 50000
event payment.late
event refund.created
books 50000 payment: provider_receivable:xendit -> suspense
books 50000 refund: suspense -> refund_clearing

> wait 1h
refund success 50000
event refund.succeeded
books 50000 refund_paid: refund_clearing -> provider_receivable:xendit
]],

["an older way is paid: the one that is shown is withdrawn, and cannot be paid as well"] = [[
> create 50000
201 pending: due 50000, paid 0, shown nothing
event payment.created

> choose virtual_account.bca
303 pending: due 50000, paid 0, midtrans_bca_va pending, shown va_number 81278... 16

> next timeout_before_debit
200

> choose virtual_account.cimb
303 pending: due 50000, paid 0, midtrans_bca_va superseded, xendit_cimb_va pending, shown va_number 93490... 16

> pay way 1
200 paid 50000, callback 200
heard midtrans: applied 200
payment success: due 50000, paid 50000, midtrans_bca_va success, xendit_cimb_va superseded
event payment.succeeded
books 50000 payment: provider_receivable:midtrans -> merchant_payable.pending:merchant
books 4000 fee: merchant_payable.pending:merchant -> fee_income
books 440 vat: merchant_payable.pending:merchant -> output_vat

> pay way 2
409 INVALID_STATE

> wait 1h
]],
}
