-- What DOKU can give back the way it came: wallets, QRIS, cards, from the request to the refund.
local play = require "play"

local CHANNELS = {
  doku_dana = { method = "ewallet", shown = "redirect /sand... 32", fee = 2250, vat = 248, left = 127502, owed = 2498 },
  doku_shopeepay = { method = "ewallet", shown = "redirect /sand... 32", fee = 2250, vat = 248, left = 127502, owed = 2498 },
  doku_card = { method = "card", shown = "redirect /sand... 32", fee = 6200, vat = 682, left = 123118, owed = 6882 },
  doku_qris = { method = "qris", shown = "qr 00020... 173", fee = 946, vat = 104, left = 128950, owed = 1050 },
}

return play({
["paid, refunded in two parts"] = [[
> hook
201 enabled

> create 150000 {"method":"$method","channel":"$channel"}
201 pending: due 150000, paid 0, $channel pending, shown $shown
event payment.created
webhook payment.created: delivered 200

> show
pending: due 150000, paid 0, $channel pending, shown $shown

> pay
200 paid 150000, callback 200
heard doku: applied 200
payment success: due 150000, paid 150000, $channel success
event payment.succeeded
webhook payment.succeeded: delivered 200
books 150000 payment: provider_receivable:doku -> merchant_payable.pending:merchant
books $fee fee: merchant_payable.pending:merchant -> fee_income
books $vat vat: merchant_payable.pending:merchant -> output_vat

> refund 20000
201 success 20000
payment success: due 150000, paid 150000, refunded 20000, $channel success
refund success 20000
event refund.created
event refund.succeeded
webhook refund.created: delivered 200
webhook refund.succeeded: delivered 200
books 20000 refund: merchant_payable.pending:merchant -> refund_clearing
books 20000 refund_paid: refund_clearing -> provider_receivable:doku

> refund 130001
400 INVALID_REQUEST amount

> refund 130000
201 success 130000
payment success: due 150000, paid 150000, refunded 150000, $channel success
refund success 130000
event refund.created
event refund.succeeded
webhook refund.created: delivered 200
webhook refund.succeeded: delivered 200
books $left refund: merchant_payable.pending:merchant -> refund_clearing
books $owed refund: merchant_receivable:merchant -> refund_clearing
books 130000 refund_paid: refund_clearing -> provider_receivable:doku

> refund 1
400 INVALID_REQUEST amount

> wait 1h

> sync
200 success
]],

["nobody pays"] = [[
> create 150000 {"method":"$method","channel":"$channel"}
201 pending: due 150000, paid 0, $channel pending, shown $shown
event payment.created

> wait 26h
payment expired: due 150000, paid 0, $channel expired
event payment.expired

> show
expired: due 150000, paid 0, $channel expired, shown $shown
]],

["cancelled"] = [[
> create 150000 {"method":"$method","channel":"$channel"}
201 pending: due 150000, paid 0, $channel pending, shown $shown
event payment.created

> cancel
200 cancelled
payment cancelled: due 150000, paid 0, $channel cancelled
event payment.cancelled
]],

["a refund that DOKU declines"] = [[
> create 150000 {"method":"$method","channel":"$channel"}
201 pending: due 150000, paid 0, $channel pending, shown $shown
event payment.created

> pay
200 paid 150000, callback 200
heard doku: applied 200
payment success: due 150000, paid 150000, $channel success
event payment.succeeded
books 150000 payment: provider_receivable:doku -> merchant_payable.pending:merchant
books $fee fee: merchant_payable.pending:merchant -> fee_income
books $vat vat: merchant_payable.pending:merchant -> output_vat

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
201 success 20000
payment success: due 150000, paid 150000, refunded 20000, $channel success
refund success 20000
event refund.created
event refund.succeeded
books 20000 refund: merchant_payable.pending:merchant -> refund_clearing
books 20000 refund_paid: refund_clearing -> provider_receivable:doku
]],
}, "doku", CHANNELS)
