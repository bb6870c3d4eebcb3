-- Virtual accounts of our own: no provider is called, and a bank tells of the money.
local play = require "play"

return play({
["paid, settled, refunded by hand"] = [[
> hook
201 enabled

> create 150000 {"method":"virtual_account","bank":"self"}
201 pending: due 150000, paid 0, self_va pending, shown va_number 88088... 15
event payment.created
webhook payment.created: delivered 200

> show
pending: due 150000, paid 0, self_va pending, shown va_number 88088... 15

> pay
200 paid 150000, callback 200
heard self: applied 200
payment success: due 150000, paid 150000, self_va success
event payment.succeeded
webhook payment.succeeded: delivered 200
books 150000 payment: provider_receivable:self -> merchant_payable.pending:merchant

> refund 50000
400 INVALID_REQUEST destination

> refund 50000 {"destination":{"bank":"bca","account_number":"1234567890","account_holder":"Budi"}}
201 pending 50000
refund pending 50000
event refund.created
webhook refund.created: delivered 200
books 50000 refund: merchant_payable.pending:merchant -> refund_clearing

> wait 5d
books 100000 available: merchant_payable.pending:merchant -> merchant_payable:merchant

> balance
available 10100000, pending 0, held 0
]],

["a number that stays: paid many times, each a payment of its own; closed"] = [[
> account {"bank":"self","customer":{"name":"Budi"},"description":"saving"}
201 active, self 88088... 15

> transfer 20000
200 paid 20000, callback 200
heard self: applied 200
event payment.created
event payment.succeeded
books 20000 payment: provider_receivable:self -> merchant_payable.pending:merchant

> transfer 35000
200 paid 35000, callback 200
heard self: applied 200
event payment.created
event payment.succeeded
books 35000 payment: provider_receivable:self -> merchant_payable.pending:merchant

> next duplicate
200

> transfer 1500
200 paid 1500, callback 200, callback 200
heard self: applied 200
event payment.created
event payment.succeeded
books 1500 payment: provider_receivable:self -> merchant_payable.pending:merchant

> next deny_after_settlement
200

> transfer 9000
200 paid 9000, callback 200, callback 200
heard self: applied 200
heard self: applied 200
event payment.created
event payment.succeeded
event payment.reversed
books 9000 payment: provider_receivable:self -> merchant_payable.pending:merchant
books 9000 reversal: merchant_payable.pending:merchant -> provider_receivable:self

> payments
success: due 9000, paid 9000, reversed 9000, self_va success
success: due 1500, paid 1500, self_va success
success: due 35000, paid 35000, self_va success
success: due 20000, paid 20000, self_va success

> close
200 closed

> close
200 closed

> transfer 7000
200 paid 7000, callback 200
heard self: suspense 200
books 7000 orphan: provider_receivable:self -> suspense
held 7000: orphan

> account {"bank":"bca"}
400 INVALID_REQUEST bank

> balance
available 10000000, pending 56500, held 0
]],

["nobody pays"] = [[
> create 150000 {"method":"virtual_account","bank":"self"}
201 pending: due 150000, paid 0, self_va pending, shown va_number 88088... 15
event payment.created

> wait 25h
payment expired: due 150000, paid 0, self_va expired
event payment.expired

> show
expired: due 150000, paid 0, self_va expired, shown va_number 88088... 15
]],

["cancelled"] = [[
> create 150000 {"method":"virtual_account","bank":"self"}
201 pending: due 150000, paid 0, self_va pending, shown va_number 88088... 15
event payment.created

> cancel
200 cancelled
payment cancelled: due 150000, paid 0, self_va cancelled
event payment.cancelled

> cancel
200 cancelled
]],

["late: within a day it counts"] = [[
> create 150000 {"method":"virtual_account","bank":"self"}
201 pending: due 150000, paid 0, self_va pending, shown va_number 88088... 15
event payment.created

> next late
200

> pay
200 pays later

> wait 24h

> wait 2h
heard self: applied 200
payment success: due 150000, paid 150000, self_va success
event payment.expired
event payment.late
event payment.succeeded
books 150000 payment: provider_receivable:self -> suspense
books 150000 payment: suspense -> merchant_payable.pending:merchant
]],

["short"] = [[
> create 150000 {"method":"virtual_account","bank":"self"}
201 pending: due 150000, paid 0, self_va pending, shown va_number 88088... 15
event payment.created

> next short
200

> pay
200 paid 149000, callback 200
heard self: applied 200
event payment.underpaid
books 149000 payment: provider_receivable:self -> suspense
held 149000: mismatch
]],

["over"] = [[
> create 150000 {"method":"virtual_account","bank":"self"}
201 pending: due 150000, paid 0, self_va pending, shown va_number 88088... 15
event payment.created

> next over
200

> pay
200 paid 151000, callback 200
heard self: applied 200
event payment.overpaid
books 151000 payment: provider_receivable:self -> suspense
held 151000: mismatch
]],

["duplicate"] = [[
> create 150000 {"method":"virtual_account","bank":"self"}
201 pending: due 150000, paid 0, self_va pending, shown va_number 88088... 15
event payment.created

> next duplicate
200

> pay
200 paid 150000, callback 200, callback 200
heard self: applied 200
payment success: due 150000, paid 150000, self_va success
event payment.succeeded
books 150000 payment: provider_receivable:self -> merchant_payable.pending:merchant
]],

["a second transfer to the same number"] = [[
> create 150000 {"method":"virtual_account","bank":"self"}
201 pending: due 150000, paid 0, self_va pending, shown va_number 88088... 15
event payment.created

> pay
200 paid 150000, callback 200
heard self: applied 200
payment success: due 150000, paid 150000, self_va success
event payment.succeeded
books 150000 payment: provider_receivable:self -> merchant_payable.pending:merchant

> pay
200 paid 150000, callback 200
heard self: applied 200
refund pending 150000
event payment.overpaid
event refund.created
books 150000 payment: provider_receivable:self -> suspense
books 150000 refund: suspense -> refund_clearing

> wait 1h
]],

["wrong_signature"] = [[
> create 150000 {"method":"virtual_account","bank":"self"}
201 pending: due 150000, paid 0, self_va pending, shown va_number 88088... 15
event payment.created

> next wrong_signature
200

> pay
200 paid 150000, callback 401

> wait 5m
heard self: applied 200
payment success: due 150000, paid 150000, self_va success
event payment.succeeded
books 150000 payment: provider_receivable:self -> merchant_payable.pending:merchant
]],

["deny_after_settlement"] = [[
> create 150000 {"method":"virtual_account","bank":"self"}
201 pending: due 150000, paid 0, self_va pending, shown va_number 88088... 15
event payment.created

> next deny_after_settlement
200

> pay
200 paid 150000, callback 200, callback 200
heard self: applied 200
heard self: applied 200
payment success: due 150000, paid 150000, reversed 150000, self_va success
event payment.succeeded
event payment.reversed
books 150000 payment: provider_receivable:self -> merchant_payable.pending:merchant
books 150000 reversal: merchant_payable.pending:merchant -> provider_receivable:self
]],

["reorder"] = [[
> create 150000 {"method":"virtual_account","bank":"self"}
201 pending: due 150000, paid 0, self_va pending, shown va_number 88088... 15
event payment.created

> next reorder
200

> pay
200 paid 150000

> create 20000 {"method":"virtual_account","bank":"self"}
201 pending: due 20000, paid 0, self_va pending, shown va_number 88088... 15
event payment.created

> pay
200 paid 20000, callback 200, callback 200
heard self: applied 200
heard self: applied 200
payment success: due 20000, paid 20000, self_va success
event payment.succeeded
event payment.succeeded
books 20000 payment: provider_receivable:self -> merchant_payable.pending:merchant
books 150000 payment: provider_receivable:self -> merchant_payable.pending:merchant
]],
}, "self")
