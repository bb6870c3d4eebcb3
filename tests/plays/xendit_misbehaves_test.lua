-- Each way in which Xendit can misbehave, in the words that its simulator knows.
local play = require "play"

return play({
["late: within a day it counts"] = [[
> create 150000 {"method":"virtual_account","channel":"xendit_bca_va"}
201 pending: due 150000, paid 0, xendit_bca_va pending, shown va_number 10766... 16
event payment.created

> next late
200

> pay
200 pays later

> wait 24h

> wait 2h
heard xendit: applied 200
payment success: due 150000, paid 150000, xendit_bca_va success
event payment.expired
event payment.late
event payment.succeeded
books 150000 payment: provider_receivable:xendit -> suspense
books 150000 payment: suspense -> merchant_payable.pending:merchant
books 4000 fee: merchant_payable.pending:merchant -> fee_income
books 440 vat: merchant_payable.pending:merchant -> output_vat
]],

["duplicate: booked once"] = [[
> create 150000 {"method":"virtual_account","channel":"xendit_bca_va"}
201 pending: due 150000, paid 0, xendit_bca_va pending, shown va_number 10766... 16
event payment.created

> next duplicate
200

> pay
200 paid 150000, callback 200, callback 200
heard xendit: applied 200
payment success: due 150000, paid 150000, xendit_bca_va success
event payment.succeeded
books 150000 payment: provider_receivable:xendit -> merchant_payable.pending:merchant
books 4000 fee: merchant_payable.pending:merchant -> fee_income
books 440 vat: merchant_payable.pending:merchant -> output_vat

> balance
available 10000000, pending 145560, held 0
]],

["reorder: the older one comes after the newer"] = [[
> create 150000 {"method":"virtual_account","channel":"xendit_bca_va"}
201 pending: due 150000, paid 0, xendit_bca_va pending, shown va_number 10766... 16
event payment.created

> next reorder
200

> pay
200 paid 150000

> create 20000 {"method":"virtual_account","channel":"xendit_bca_va"}
201 pending: due 20000, paid 0, xendit_bca_va pending, shown va_number 10766... 16
event payment.created

> pay
200 paid 20000, callback 200, callback 200
heard xendit: applied 200
heard xendit: applied 200
payment success: due 20000, paid 20000, xendit_bca_va success
event payment.succeeded
event payment.succeeded
books 20000 payment: provider_receivable:xendit -> merchant_payable.pending:merchant
books 4000 fee: merchant_payable.pending:merchant -> fee_income
books 440 vat: merchant_payable.pending:merchant -> output_vat
books 150000 payment: provider_receivable:xendit -> merchant_payable.pending:merchant
books 4000 fee: merchant_payable.pending:merchant -> fee_income
books 440 vat: merchant_payable.pending:merchant -> output_vat
]],

["short: the payment stays, the money waits"] = [[
> create 150000 {"method":"virtual_account","channel":"xendit_bca_va"}
201 pending: due 150000, paid 0, xendit_bca_va pending, shown va_number 10766... 16
event payment.created

> next short
200

> pay
200 paid 149000, callback 200
heard xendit: applied 200
event payment.underpaid
books 149000 payment: provider_receivable:xendit -> suspense
held 149000: mismatch

> show
pending: due 150000, paid 0, xendit_bca_va pending, shown va_number 10766... 16

> wait 1h
]],

["over: the payment stays, the money waits"] = [[
> create 150000 {"method":"card"}
201 pending: due 150000, paid 0, xendit_card pending, shown redirect /sand... 44
event payment.created

> next over
200

> pay
200 paid 151000, callback 200
heard xendit: applied 200
event payment.overpaid
books 151000 payment: provider_receivable:xendit -> suspense
held 151000: mismatch

> show
pending: due 150000, paid 0, xendit_card pending, shown redirect /sand... 44

> wait 1h
]],

["refused: failed, and the order is free"] = [[
> next refused
200

> create 150000 {"method":"virtual_account","channel":"xendit_bca_va"}
201 failed: due 150000, paid 0, failure INVALID_REQUEST, xendit_bca_va failed, shown nothing
event payment.created
event payment.failed

> create 150000 {"method":"virtual_account","channel":"xendit_bca_va"}
201 pending: due 150000, paid 0, xendit_bca_va pending, shown va_number 10766... 16
event payment.created
]],

["timeout_before_debit: nothing was made"] = [[
> next timeout_before_debit
200

> create 150000 {"method":"virtual_account","channel":"xendit_bca_va"}
201 processing: due 150000, paid 0, xendit_bca_va sending, shown nothing
event payment.created

> sleep 60s
payment processing: due 150000, paid 0, xendit_bca_va unknown
event payment.processing

> wait 10m
payment failed: due 150000, paid 0, failure PROVIDER_ERROR, xendit_bca_va failed
event payment.failed
]],

["timeout_after_debit: it was made, and is found and shown"] = [[
> next timeout_after_debit
200

> create 150000 {"method":"virtual_account","channel":"xendit_bca_va"}
201 processing: due 150000, paid 0, xendit_bca_va sending, shown nothing
event payment.created

> sleep 60s
payment processing: due 150000, paid 0, xendit_bca_va unknown
event payment.processing

> sync
200 pending
payment pending: due 150000, paid 0, xendit_bca_va pending

> show
pending: due 150000, paid 0, xendit_bca_va pending, shown va_number 10766... 16

> pay
200 paid 150000, callback 200
heard xendit: applied 200
payment success: due 150000, paid 150000, xendit_bca_va success
event payment.succeeded
books 150000 payment: provider_receivable:xendit -> merchant_payable.pending:merchant
books 4000 fee: merchant_payable.pending:merchant -> fee_income
books 440 vat: merchant_payable.pending:merchant -> output_vat
]],

["timeout_after_debit: paid before we asked"] = [[
> next timeout_after_debit
200

> create 150000 {"method":"ewallet","bank":"dana"}
201 processing: due 150000, paid 0, xendit_dana sending, shown nothing
event payment.created

> pay
200 paid 150000, callback 200
heard xendit: applied 200
payment success: due 150000, paid 150000, xendit_dana success
event payment.succeeded
books 150000 payment: provider_receivable:xendit -> merchant_payable.pending:merchant
books 2250 fee: merchant_payable.pending:merchant -> fee_income
books 248 vat: merchant_payable.pending:merchant -> output_vat

> sleep 60s

> wait 10m
]],

["server_error: nothing was made"] = [[
> next server_error
200

> create 150000 {"method":"virtual_account","channel":"xendit_bca_va"}
201 processing: due 150000, paid 0, xendit_bca_va unknown, shown nothing
event payment.created
event payment.processing

> wait 10m
payment failed: due 150000, paid 0, failure PROVIDER_ERROR, xendit_bca_va failed
event payment.failed
]],

["rubbish: it was made, and is found"] = [[
> next rubbish
200

> create 150000 {"method":"virtual_account","channel":"xendit_bca_va"}
201 processing: due 150000, paid 0, xendit_bca_va unknown, shown nothing
event payment.created
event payment.processing

> wait 10m
payment pending: due 150000, paid 0, xendit_bca_va pending

> pay
200 paid 150000, callback 200
heard xendit: applied 200
payment success: due 150000, paid 150000, xendit_bca_va success
event payment.succeeded
books 150000 payment: provider_receivable:xendit -> merchant_payable.pending:merchant
books 4000 fee: merchant_payable.pending:merchant -> fee_income
books 440 vat: merchant_payable.pending:merchant -> output_vat
]],

["slow: it comes within the wait"] = [[
> next slow
200

> create 150000 {"method":"virtual_account","channel":"xendit_bca_va"}
201 pending: due 150000, paid 0, xendit_bca_va pending, shown va_number 10766... 16
event payment.created

> pay
200 paid 150000, callback 200
heard xendit: applied 200
payment success: due 150000, paid 150000, xendit_bca_va success
event payment.succeeded
books 150000 payment: provider_receivable:xendit -> merchant_payable.pending:merchant
books 4000 fee: merchant_payable.pending:merchant -> fee_income
books 440 vat: merchant_payable.pending:merchant -> output_vat
]],

["wrong_signature: 401, nothing changes, it comes again"] = [[
> create 150000 {"method":"virtual_account","channel":"xendit_bca_va"}
201 pending: due 150000, paid 0, xendit_bca_va pending, shown va_number 10766... 16
event payment.created

> next wrong_signature
200

> pay
200 paid 150000, callback 401

> show
pending: due 150000, paid 0, xendit_bca_va pending, shown va_number 10766... 16

> wait 20m
heard xendit: applied 200
payment success: due 150000, paid 150000, xendit_bca_va success
event payment.succeeded
books 150000 payment: provider_receivable:xendit -> merchant_payable.pending:merchant
books 4000 fee: merchant_payable.pending:merchant -> fee_income
books 440 vat: merchant_payable.pending:merchant -> output_vat
]],

["Xendit cannot be asked when it tells: it tells again"] = [[
> create 150000 {"method":"virtual_account","channel":"xendit_bca_va"}
201 pending: due 150000, paid 0, xendit_bca_va pending, shown va_number 10766... 16
event payment.created

> next maintenance
200

> pay
200 paid 150000, callback 503

> next reset
200

> wait 20m
heard xendit: applied 200
payment success: due 150000, paid 150000, xendit_bca_va success
event payment.succeeded
books 150000 payment: provider_receivable:xendit -> merchant_payable.pending:merchant
books 4000 fee: merchant_payable.pending:merchant -> fee_income
books 440 vat: merchant_payable.pending:merchant -> output_vat
]],

["the list of its payments is rubbish: told is enough"] = [[
> create 150000 {"method":"virtual_account","channel":"xendit_bca_va"}
201 pending: due 150000, paid 0, xendit_bca_va pending, shown va_number 10766... 16
event payment.created

> next slow
200

> next rubbish
200

> pay
200 paid 150000, callback 200
heard xendit: applied 200
payment success: due 150000, paid 150000, xendit_bca_va success
event payment.succeeded
books 150000 payment: provider_receivable:xendit -> merchant_payable.pending:merchant
books 4000 fee: merchant_payable.pending:merchant -> fee_income
books 440 vat: merchant_payable.pending:merchant -> output_vat
]],

["deny_after_settlement: the money is taken back"] = [[
> create 150000 {"method":"ewallet","bank":"dana"}
201 pending: due 150000, paid 0, xendit_dana pending, shown redirect /sand... 59
event payment.created

> next deny_after_settlement
200

> pay
200 paid 150000, callback 200, callback 200
heard xendit: applied 200
heard xendit: applied 200
payment success: due 150000, paid 150000, reversed 150000, xendit_dana success
event payment.succeeded
event payment.reversed
books 150000 payment: provider_receivable:xendit -> merchant_payable.pending:merchant
books 2250 fee: merchant_payable.pending:merchant -> fee_income
books 248 vat: merchant_payable.pending:merchant -> output_vat
books 147502 reversal: merchant_payable.pending:merchant -> provider_receivable:xendit
books 2498 reversal: merchant_receivable:merchant -> provider_receivable:xendit

> balance
available 9997502, pending 0, held 0
]],

["deny_after_settlement: what waits in suspense is taken back as well"] = [[
> create 150000 {"method":"ewallet","bank":"dana"}
201 pending: due 150000, paid 0, xendit_dana pending, shown redirect /sand... 59
event payment.created

> next short
200

> next deny_after_settlement
200

> pay
200 paid 149000, callback 200, callback 200
heard xendit: applied 200
heard xendit: applied 200
payment cancelled: due 150000, paid 0, xendit_dana cancelled
event payment.underpaid
event payment.cancelled
event payment.reversed
books 149000 payment: provider_receivable:xendit -> suspense
books 149000 reversal: suspense -> provider_receivable:xendit
held 149000: mismatch

> balance
available 10000000, pending 0, held 0
]],

["maintenance: nothing for a while, then as before"] = [[
> next maintenance
200

> create 150000 {"method":"virtual_account","channel":"xendit_bca_va"}
201 processing: due 150000, paid 0, xendit_bca_va unknown, shown nothing
event payment.created
event payment.processing

> wait 10m

> next reset
200

> wait 1h
payment failed: due 150000, paid 0, failure PROVIDER_ERROR, xendit_bca_va failed
event payment.failed

> create 20000 {"method":"virtual_account","channel":"xendit_bca_va"}
201 pending: due 20000, paid 0, xendit_bca_va pending, shown va_number 10766... 16
event payment.created

> pay
200 paid 20000, callback 200
heard xendit: applied 200
payment success: due 20000, paid 20000, xendit_bca_va success
event payment.succeeded
books 20000 payment: provider_receivable:xendit -> merchant_payable.pending:merchant
books 4000 fee: merchant_payable.pending:merchant -> fee_income
books 440 vat: merchant_payable.pending:merchant -> output_vat
]],

["the callback is lost: asked about, it is found paid"] = [[
> create 150000 {"method":"virtual_account","channel":"xendit_bca_va"}
201 pending: due 150000, paid 0, xendit_bca_va pending, shown va_number 10766... 16
event payment.created

> next reorder
200

> pay
200 paid 150000

> wait 20m
payment success: due 150000, paid 150000, xendit_bca_va success
event payment.succeeded
books 150000 payment: provider_receivable:xendit -> merchant_payable.pending:merchant
books 4000 fee: merchant_payable.pending:merchant -> fee_income
books 440 vat: merchant_payable.pending:merchant -> output_vat

> next reset
200
heard xendit: applied 200
]],

["a wallet that fails when it is paid"] = [[
> create 20105 {"method":"ewallet","bank":"dana"}
201 pending: due 20105, paid 0, xendit_dana pending, shown redirect /sand... 59
event payment.created

> pay
200 paid 20105, callback 200
heard xendit: applied 200
payment failed: due 20105, paid 0, failure USER_CANCELLED, xendit_dana failed
event payment.failed

> create 20103 {"method":"ewallet","bank":"dana"}
201 pending: due 20103, paid 0, xendit_dana pending, shown redirect /sand... 59
event payment.created

> pay
200 paid 20103, callback 200
heard xendit: applied 200
payment failed: due 20103, paid 0, failure CARD_DECLINED, xendit_dana failed
event payment.failed

> create 10100 {"method":"ewallet","bank":"dana"}
201 failed: due 10100, paid 0, failure INVALID_REQUEST, xendit_dana failed, shown nothing
event payment.created
event payment.failed

> create 10102 {"method":"ewallet","bank":"dana"}
201 processing: due 10102, paid 0, xendit_dana unknown, shown nothing
event payment.created
event payment.processing
]],

["a channel that is away when it is asked: another may be taken"] = [[
> create 10101 {"method":"ewallet","bank":"dana"}
201 pending: due 10101, paid 0, xendit_dana failed, doku_dana pending, shown redirect /sand... 37
event payment.created
> create 10101 {"method":"ewallet","bank":"linkaja"}
201 failed: due 10101, paid 0, failure BANK_UNAVAILABLE, xendit_linkaja failed, shown nothing
event payment.created
event payment.failed
]],
}, "xendit")
