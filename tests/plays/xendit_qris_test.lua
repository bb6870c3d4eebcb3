-- QRIS through Xendit, from the request to money that goes back.
local play = require "play"

return play({
["paid, settled, refunded in part"] = [[
> hook
201 enabled

> create 150000 {"method":"qris","channel":"xendit_qris"}
201 pending: due 150000, paid 0, xendit_qris pending, shown qr 00020... 189
event payment.created
webhook payment.created: delivered 200

> show
pending: due 150000, paid 0, xendit_qris pending, shown qr 00020... 189

> pay
200 paid 150000, callback 200
heard xendit: applied 200
payment success: due 150000, paid 150000, xendit_qris success
event payment.succeeded
webhook payment.succeeded: delivered 200
books 150000 payment: provider_receivable:xendit -> merchant_payable.pending:merchant
books 946 fee: merchant_payable.pending:merchant -> fee_income
books 104 vat: merchant_payable.pending:merchant -> output_vat

> refund 50000
201 processing 50000
refund processing 50000
event refund.created
webhook refund.created: delivered 200
books 50000 refund: merchant_payable.pending:merchant -> refund_clearing

> wait 5m
payment success: due 150000, paid 150000, refunded 50000, xendit_qris success
refund success 50000
event refund.succeeded
webhook refund.succeeded: delivered 200
books 50000 refund_paid: refund_clearing -> provider_receivable:xendit

> wait 8d
books 98950 available: merchant_payable.pending:merchant -> merchant_payable:merchant

> refund 50000
201 failed 50000
refund failed 50000
event refund.created
event refund.failed
webhook refund.created: delivered 200
webhook refund.failed: delivered 200
books 50000 refund: merchant_payable:merchant -> refund_clearing
books 50000 refund_failed: refund_clearing -> merchant_payable:merchant
]],

["nobody pays"] = [[
> create 150000 {"method":"qris","channel":"xendit_qris"}
201 pending: due 150000, paid 0, xendit_qris pending, shown qr 00020... 189
event payment.created

> wait 1h
payment expired: due 150000, paid 0, xendit_qris expired
event payment.expired

> pay
409 INVALID_STATE
]],

["cancelled"] = [[
> create 150000 {"method":"qris","channel":"xendit_qris"}
201 pending: due 150000, paid 0, xendit_qris pending, shown qr 00020... 189
event payment.created

> cancel
200 cancelled
payment cancelled: due 150000, paid 0, xendit_qris cancelled
event payment.cancelled

> pay
409 INVALID_STATE
]],
}, "xendit")
