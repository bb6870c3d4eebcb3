-- The wallets through Xendit that the payer is led to, from the request to money that goes back the way
-- it came; and how an unpaid one ends.
local play = require "play"

return play({
["paid, settled, refunded whole"] = [[
> hook
201 enabled

> create 50000 {"method":"ewallet","bank":"$wallet"}
201 pending: due 50000, paid 0, xendit_$wallet pending, shown redirect /sand... 59
event payment.created
webhook payment.created: delivered 200

> show
pending: due 50000, paid 0, xendit_$wallet pending, shown redirect /sand... 59

> pay
200 paid 50000, callback 200
heard xendit: applied 200
payment success: due 50000, paid 50000, xendit_$wallet success
event payment.succeeded
webhook payment.succeeded: delivered 200
books 50000 payment: provider_receivable:xendit -> merchant_payable.pending:merchant
books $fee fee: merchant_payable.pending:merchant -> fee_income
books $vat vat: merchant_payable.pending:merchant -> output_vat

> refund 50001
400 INVALID_REQUEST amount

> refund 50000
201 processing 50000
refund processing 50000
event refund.created
webhook refund.created: delivered 200
books $had refund: merchant_payable.pending:merchant -> refund_clearing
books $owed refund: merchant_receivable:merchant -> refund_clearing

> wait 5m
payment success: due 50000, paid 50000, refunded 50000, xendit_$wallet success
refund success 50000
event refund.succeeded
webhook refund.succeeded: delivered 200
books 50000 refund_paid: refund_clearing -> provider_receivable:xendit

> refund 1
400 INVALID_REQUEST amount

> wait 5d
]],

["nobody pays"] = [[
> create 50000 {"method":"ewallet","bank":"$wallet"}
201 pending: due 50000, paid 0, xendit_$wallet pending, shown redirect /sand... 59
event payment.created

> wait 26h
heard xendit: applied 200
payment expired: due 50000, paid 0, xendit_$wallet expired
event payment.expired

> show
expired: due 50000, paid 0, xendit_$wallet expired, shown redirect /sand... 59

> pay
409 INVALID_STATE
]],

["cancelled by us, and paid all the same: the money is caught, and goes back"] = [[
> create 50000 {"method":"ewallet","bank":"$wallet"}
201 pending: due 50000, paid 0, xendit_$wallet pending, shown redirect /sand... 59
event payment.created

> cancel
200 cancelled
payment cancelled: due 50000, paid 0, xendit_$wallet cancelled
event payment.cancelled

> pay
200 paid 50000, callback 200
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
}, "xendit", {
  { name = "dana", wallet = "dana", fee = "750", vat = "83", had = "49167", owed = "833" },
  { name = "linkaja", wallet = "linkaja", fee = "750", vat = "83", had = "49167", owed = "833" },
  { name = "shopeepay", wallet = "shopeepay", fee = "1000", vat = "110", had = "48890", owed = "1110" },
})
