-- Cards through Midtrans, on its page: paid, captured, settled at the end of the day, given back.
local play = require "play"

local CHANNELS = {
  midtrans_card = {},
  midtrans_snap = {},
}

return play({
["captured, settled at the end of the day, refunded in two parts"] = [[
> hook
201 enabled

> create 150000 {"method":"card","channel":"$channel"}
201 pending: due 150000, paid 0, $channel pending, shown redirect /sand... 74
event payment.created
webhook payment.created: delivered 200

> show
pending: due 150000, paid 0, $channel pending, shown redirect /sand... 74

> pay
200 paid 150000, callback 200
heard midtrans: applied 200
payment success: due 150000, paid 150000, $channel success
event payment.succeeded
webhook payment.succeeded: delivered 200
books 150000 payment: provider_receivable:midtrans -> merchant_payable.pending:merchant
books 6350 fee: merchant_payable.pending:merchant -> fee_income
books 699 vat: merchant_payable.pending:merchant -> output_vat

> refund 20000
201 failed 20000
refund failed 20000
event refund.created
event refund.failed
webhook refund.created: delivered 200
webhook refund.failed: delivered 200
books 20000 refund: merchant_payable.pending:merchant -> refund_clearing
books 20000 refund_failed: refund_clearing -> merchant_payable.pending:merchant

> wait 1d
heard midtrans: applied 200
books 142951 available: merchant_payable.pending:merchant -> merchant_payable:merchant

> refund 20000
201 success 20000
payment success: due 150000, paid 150000, refunded 20000, $channel success
refund success 20000
event refund.created
event refund.succeeded
webhook refund.created: delivered 200
webhook refund.succeeded: delivered 200
books 20000 refund: merchant_payable:merchant -> refund_clearing
books 20000 refund_paid: refund_clearing -> provider_receivable:midtrans

> refund 130001
400 INVALID_REQUEST amount
heard midtrans: applied 200

> refund 130000
201 success 130000
payment success: due 150000, paid 150000, refunded 150000, $channel success
refund success 130000
event refund.created
event refund.succeeded
webhook refund.created: delivered 200
webhook refund.succeeded: delivered 200
books 7049 refund: merchant_receivable:merchant -> refund_clearing
books 122951 refund: merchant_payable:merchant -> refund_clearing
books 130000 refund_paid: refund_clearing -> provider_receivable:midtrans

> wait 1h
heard midtrans: applied 200
heard midtrans: applied 200
heard midtrans: applied 200
]],

["nobody picks anything"] = [[
> create 150000 {"method":"card","channel":"$channel"}
201 pending: due 150000, paid 0, $channel pending, shown redirect /sand... 74
event payment.created

> sync
200 pending

> wait 26h
payment expired: due 150000, paid 0, $channel expired
event payment.expired

> show
expired: due 150000, paid 0, $channel expired, shown redirect /sand... 74
]],

["cancelled before anything was picked: the page is closed"] = [[
> create 150000 {"method":"card","channel":"$channel"}
201 pending: due 150000, paid 0, $channel pending, shown redirect /sand... 74
event payment.created

> cancel
200 cancelled
payment cancelled: due 150000, paid 0, $channel cancelled
event payment.cancelled

> cancel
200 cancelled

> pay
400 INVALID_REQUEST pay
]],

["refused: nothing was made"] = [[
> next refused
200

> create 150000 {"method":"card","channel":"$channel"}
201 failed: due 150000, paid 0, failure INVALID_REQUEST, $channel failed, shown nothing
event payment.created
event payment.failed
]],

["timeout_after_debit: nobody was shown the page"] = [[
> next timeout_after_debit
200

> create 150000 {"method":"card","channel":"$channel"}
201 processing: due 150000, paid 0, $channel sending, shown nothing
event payment.created

> sleep 60s
payment processing: due 150000, paid 0, $channel unknown
event payment.processing

> wait 10m
payment failed: due 150000, paid 0, failure PROVIDER_ERROR, $channel failed
event payment.failed
]],

["short: the payment stays, the money waits"] = [[
> create 150000 {"method":"card","channel":"$channel"}
201 pending: due 150000, paid 0, $channel pending, shown redirect /sand... 74
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
pending: due 150000, paid 0, $channel pending, shown redirect /sand... 74
]],

["short, and taken back: what waited is given back as well"] = [[
> create 150000 {"method":"card","channel":"$channel"}
201 pending: due 150000, paid 0, $channel pending, shown redirect /sand... 74
event payment.created

> next short
200

> pay
200 paid 149000, callback 200
heard midtrans: applied 200
event payment.underpaid
books 149000 payment: provider_receivable:midtrans -> suspense
held 149000: mismatch

> wait 26h
heard midtrans: applied 200
payment expired: due 150000, paid 0, $channel expired
event payment.expired

> next deny_after_settlement o-1
200
heard midtrans: applied 200
event payment.reversed
books 149000 reversal: suspense -> provider_receivable:midtrans
]],

["declined, then paid: heard the wrong way round, what was paid stays"] = [[
> create 150000 {"method":"card","channel":"$channel"}
201 pending: due 150000, paid 0, $channel pending, shown redirect /sand... 74
event payment.created

> next reorder
200

> decline
200 declined, 0 callbacks

> pay
200 paid 150000, callback 200, callback 200
heard midtrans: applied 200
heard midtrans: applied 200
payment success: due 150000, paid 150000, $channel success
event payment.succeeded
books 150000 payment: provider_receivable:midtrans -> merchant_payable.pending:merchant
books 6350 fee: merchant_payable.pending:merchant -> fee_income
books 699 vat: merchant_payable.pending:merchant -> output_vat
]],

["wrong_signature: 401, nothing changes, it comes again"] = [[
> create 150000 {"method":"card","channel":"$channel"}
201 pending: due 150000, paid 0, $channel pending, shown redirect /sand... 74
event payment.created

> next wrong_signature
200

> pay
200 paid 150000, callback 401

> show
pending: due 150000, paid 0, $channel pending, shown redirect /sand... 74

> wait 4m
heard midtrans: applied 200
payment success: due 150000, paid 150000, $channel success
event payment.succeeded
books 150000 payment: provider_receivable:midtrans -> merchant_payable.pending:merchant
books 6350 fee: merchant_payable.pending:merchant -> fee_income
books 699 vat: merchant_payable.pending:merchant -> output_vat
]],

["given back whole before it settled: Midtrans cancels it, and tells of a cancel"] = [[
> create 150000 {"method":"card","channel":"$channel"}
201 pending: due 150000, paid 0, $channel pending, shown redirect /sand... 74
event payment.created

> pay
200 paid 150000, callback 200
heard midtrans: applied 200
payment success: due 150000, paid 150000, $channel success
event payment.succeeded
books 150000 payment: provider_receivable:midtrans -> merchant_payable.pending:merchant
books 6350 fee: merchant_payable.pending:merchant -> fee_income
books 699 vat: merchant_payable.pending:merchant -> output_vat

> refund 20000
201 failed 20000
refund failed 20000
event refund.created
event refund.failed
books 20000 refund: merchant_payable.pending:merchant -> refund_clearing
books 20000 refund_failed: refund_clearing -> merchant_payable.pending:merchant

> refund 150000
201 success 150000
payment success: due 150000, paid 150000, refunded 150000, $channel success
refund success 150000
event refund.created
event refund.succeeded
books 142951 refund: merchant_payable.pending:merchant -> refund_clearing
books 7049 refund: merchant_receivable:merchant -> refund_clearing
books 150000 refund_paid: refund_clearing -> provider_receivable:midtrans

> wait 5m

> sync
200 success

> refund 1
400 INVALID_REQUEST amount

> wait 1d
]],

["given back whole before it settled, without an answer: what is told of is no reversal"] = [[
> create 150000 {"method":"card","channel":"$channel"}
201 pending: due 150000, paid 0, $channel pending, shown redirect /sand... 74
event payment.created

> pay
200 paid 150000, callback 200
heard midtrans: applied 200
payment success: due 150000, paid 150000, $channel success
event payment.succeeded
books 150000 payment: provider_receivable:midtrans -> merchant_payable.pending:merchant
books 6350 fee: merchant_payable.pending:merchant -> fee_income
books 699 vat: merchant_payable.pending:merchant -> output_vat

> next timeout_after_debit
200

> refund 150000
201 pending 150000
refund pending 150000
event refund.created
books 142951 refund: merchant_payable.pending:merchant -> refund_clearing
books 7049 refund: merchant_receivable:merchant -> refund_clearing

> sleep 60s
refund processing 150000

> wait 10m
payment success: due 150000, paid 150000, refunded 150000, $channel success
refund success 150000
event refund.succeeded
books 150000 refund_paid: refund_clearing -> provider_receivable:midtrans
]],

["given back whole before it settled, and it never arrived: after a day it failed, and may be asked for again"] = [[
> create 150000 {"method":"card","channel":"$channel"}
201 pending: due 150000, paid 0, $channel pending, shown redirect /sand... 74
event payment.created

> pay
200 paid 150000, callback 200
heard midtrans: applied 200
payment success: due 150000, paid 150000, $channel success
event payment.succeeded
books 150000 payment: provider_receivable:midtrans -> merchant_payable.pending:merchant
books 6350 fee: merchant_payable.pending:merchant -> fee_income
books 699 vat: merchant_payable.pending:merchant -> output_vat

> next timeout_before_debit
200

> refund 150000
201 pending 150000
refund pending 150000
event refund.created
books 142951 refund: merchant_payable.pending:merchant -> refund_clearing
books 7049 refund: merchant_receivable:merchant -> refund_clearing

> sleep 60s
refund processing 150000

> wait 10m

> wait 25h
heard midtrans: applied 200
refund failed 150000
event refund.failed
books 7049 refund_failed: refund_clearing -> merchant_receivable:merchant
books 142951 refund_failed: refund_clearing -> merchant_payable.pending:merchant
books 142951 available: merchant_payable.pending:merchant -> merchant_payable:merchant

> refund 150000
201 success 150000
payment success: due 150000, paid 150000, refunded 150000, $channel success
refund success 150000
event refund.created
event refund.succeeded
books 7049 refund: merchant_receivable:merchant -> refund_clearing
books 142951 refund: merchant_payable:merchant -> refund_clearing
books 150000 refund_paid: refund_clearing -> provider_receivable:midtrans

> wait 5m
heard midtrans: applied 200
heard midtrans: applied 200
]],

["given back whole, refused before it settled: again when it has"] = [[
> create 150000 {"method":"card","channel":"$channel"}
201 pending: due 150000, paid 0, $channel pending, shown redirect /sand... 74
event payment.created

> pay
200 paid 150000, callback 200
heard midtrans: applied 200
payment success: due 150000, paid 150000, $channel success
event payment.succeeded
books 150000 payment: provider_receivable:midtrans -> merchant_payable.pending:merchant
books 6350 fee: merchant_payable.pending:merchant -> fee_income
books 699 vat: merchant_payable.pending:merchant -> output_vat

> next refused
200

> refund 150000
201 failed 150000
refund failed 150000
event refund.created
event refund.failed
books 142951 refund: merchant_payable.pending:merchant -> refund_clearing
books 7049 refund: merchant_receivable:merchant -> refund_clearing
books 7049 refund_failed: refund_clearing -> merchant_receivable:merchant
books 142951 refund_failed: refund_clearing -> merchant_payable.pending:merchant

> wait 1d
heard midtrans: applied 200
books 142951 available: merchant_payable.pending:merchant -> merchant_payable:merchant

> refund 150000
201 success 150000
payment success: due 150000, paid 150000, refunded 150000, $channel success
refund success 150000
event refund.created
event refund.succeeded
books 7049 refund: merchant_receivable:merchant -> refund_clearing
books 142951 refund: merchant_payable:merchant -> refund_clearing
books 150000 refund_paid: refund_clearing -> provider_receivable:midtrans
]],

["a refund has no answer, and somebody cancels at Midtrans: the money went back once, as that refund"] = [[
> create 150000 {"method":"card","channel":"$channel"}
201 pending: due 150000, paid 0, $channel pending, shown redirect /sand... 74
event payment.created

> pay
200 paid 150000, callback 200
heard midtrans: applied 200
payment success: due 150000, paid 150000, $channel success
event payment.succeeded
books 150000 payment: provider_receivable:midtrans -> merchant_payable.pending:merchant
books 6350 fee: merchant_payable.pending:merchant -> fee_income
books 699 vat: merchant_payable.pending:merchant -> output_vat

> next timeout_before_debit
200

> refund 150000
201 pending 150000
refund pending 150000
event refund.created
books 142951 refund: merchant_payable.pending:merchant -> refund_clearing
books 7049 refund: merchant_receivable:merchant -> refund_clearing

> sleep 60s
refund processing 150000

> wait 10m

> void
said 200

> wait 5m
payment success: due 150000, paid 150000, refunded 150000, $channel success
refund success 150000
event refund.succeeded
books 150000 refund_paid: refund_clearing -> provider_receivable:midtrans

> refund 150000
400 INVALID_REQUEST amount
]],
}, "midtrans", CHANNELS)
