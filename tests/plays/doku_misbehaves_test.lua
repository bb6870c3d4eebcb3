-- Each way in which DOKU can misbehave, in the words that its simulator knows, once for each way of asking it.
local play = require "play"

local CHANNELS = {
  doku_bca_va = { method = "virtual_account", shown = "va_number 19008... 13", found = "va_number 19008... 13", fee = 4000, vat = 440, rest = 145560, no = "INVALID_REQUEST", ends = "1470m" },
  doku_qris = { method = "qris", shown = "qr 00020... 173", found = "nothing", fee = 946, vat = 104, rest = 148950, no = "INVALID_REQUEST", ends = "45m" },
  doku_dana = { method = "ewallet", shown = "redirect /sand... 32", found = "nothing", fee = 2250, vat = 248, rest = 147502, no = "CARD_DECLINED", ends = "60m" },
  doku_card = { method = "card", shown = "redirect /sand... 32", found = "nothing", fee = 6200, vat = 682, rest = 143118, no = "INVALID_REQUEST", ends = "90m" },
  doku_alfamart = { method = "retail", shown = "retail alfamart 88888... 16", found = "nothing", fee = 5000, vat = 550, rest = 144450, no = "INVALID_REQUEST", ends = "1470m" },
}

return play({
["late: within a day it counts"] = [[
> create 150000 {"method":"$method","channel":"$channel"}
201 pending: due 150000, paid 0, $channel pending, shown $shown
event payment.created

> next late
200

> pay
200 pays later

> wait $ends
payment expired: due 150000, paid 0, $channel expired
event payment.expired

> wait 2h
heard doku: applied 200
payment success: due 150000, paid 150000, $channel success
event payment.late
event payment.succeeded
books 150000 payment: provider_receivable:doku -> suspense
books 150000 payment: suspense -> merchant_payable.pending:merchant
books $fee fee: merchant_payable.pending:merchant -> fee_income
books $vat vat: merchant_payable.pending:merchant -> output_vat
]],

["duplicate: booked once"] = [[
> create 150000 {"method":"$method","channel":"$channel"}
201 pending: due 150000, paid 0, $channel pending, shown $shown
event payment.created

> next duplicate
200

> pay
200 paid 150000, callback 200, callback 200
heard doku: applied 200
payment success: due 150000, paid 150000, $channel success
event payment.succeeded
books 150000 payment: provider_receivable:doku -> merchant_payable.pending:merchant
books $fee fee: merchant_payable.pending:merchant -> fee_income
books $vat vat: merchant_payable.pending:merchant -> output_vat

> balance
available 10000000, pending $rest, held 0
]],

["reorder: the older one comes after the newer"] = [[
> create 150000 {"method":"$method","channel":"$channel"}
201 pending: due 150000, paid 0, $channel pending, shown $shown
event payment.created

> next reorder
200

> pay
200 paid 150000

> create 150000 {"method":"$method","channel":"$channel"}
201 pending: due 150000, paid 0, $channel pending, shown $shown
event payment.created

> pay
200 paid 150000, callback 200, callback 200
heard doku: applied 200
heard doku: applied 200
payment success: due 150000, paid 150000, $channel success
event payment.succeeded
event payment.succeeded
books 150000 payment: provider_receivable:doku -> merchant_payable.pending:merchant
books $fee fee: merchant_payable.pending:merchant -> fee_income
books $vat vat: merchant_payable.pending:merchant -> output_vat
books 150000 payment: provider_receivable:doku -> merchant_payable.pending:merchant
books $fee fee: merchant_payable.pending:merchant -> fee_income
books $vat vat: merchant_payable.pending:merchant -> output_vat
]],

["short: the payment stays, the money waits"] = [[
> create 150000 {"method":"$method","channel":"$channel"}
201 pending: due 150000, paid 0, $channel pending, shown $shown
event payment.created

> next short
200

> pay
200 paid 149000, callback 200
heard doku: applied 200
event payment.underpaid
books 149000 payment: provider_receivable:doku -> suspense
held 149000: mismatch

> show
pending: due 150000, paid 0, $channel pending, shown $shown
]],

["over: the payment stays, the money waits"] = [[
> create 150000 {"method":"$method","channel":"$channel"}
201 pending: due 150000, paid 0, $channel pending, shown $shown
event payment.created

> next over
200

> pay
200 paid 151000, callback 200
heard doku: applied 200
event payment.overpaid
books 151000 payment: provider_receivable:doku -> suspense
held 151000: mismatch

> show
pending: due 150000, paid 0, $channel pending, shown $shown
]],

["refused: failed, and the order is free"] = [[
> next refused
200

> create 150000 {"method":"$method","channel":"$channel"}
201 failed: due 150000, paid 0, failure $no, $channel failed, shown nothing
event payment.created
event payment.failed

> create 150000 {"method":"$method","channel":"$channel"}
201 pending: due 150000, paid 0, $channel pending, shown $shown
event payment.created
]],

["timeout_before_debit: nothing was made"] = [[
> next timeout_before_debit
200

> create 150000 {"method":"$method","channel":"$channel"}
201 processing: due 150000, paid 0, $channel sending, shown nothing
event payment.created

> sleep 60s
payment processing: due 150000, paid 0, $channel unknown
event payment.processing

> wait 10m
payment failed: due 150000, paid 0, failure PROVIDER_ERROR, $channel failed
event payment.failed
]],

["timeout_after_debit: it was made, and is found"] = [[
> next timeout_after_debit
200

> create 150000 {"method":"$method","channel":"$channel"}
201 processing: due 150000, paid 0, $channel sending, shown nothing
event payment.created

> sleep 60s
payment processing: due 150000, paid 0, $channel unknown
event payment.processing

> sync
200 pending
payment pending: due 150000, paid 0, $channel pending

> show
pending: due 150000, paid 0, $channel pending, shown $found

> pay
200 paid 150000, callback 200
heard doku: applied 200
payment success: due 150000, paid 150000, $channel success
event payment.succeeded
books 150000 payment: provider_receivable:doku -> merchant_payable.pending:merchant
books $fee fee: merchant_payable.pending:merchant -> fee_income
books $vat vat: merchant_payable.pending:merchant -> output_vat
]],

["timeout_after_debit: paid before we asked"] = [[
> next timeout_after_debit
200

> create 150000 {"method":"$method","channel":"$channel"}
201 processing: due 150000, paid 0, $channel sending, shown nothing
event payment.created

> pay
200 paid 150000, callback 200
heard doku: applied 200
payment success: due 150000, paid 150000, $channel success
event payment.succeeded
books 150000 payment: provider_receivable:doku -> merchant_payable.pending:merchant
books $fee fee: merchant_payable.pending:merchant -> fee_income
books $vat vat: merchant_payable.pending:merchant -> output_vat

> sleep 60s

> wait 10m
]],

["server_error: nothing was made"] = [[
> next server_error
200

> create 150000 {"method":"$method","channel":"$channel"}
201 processing: due 150000, paid 0, $channel unknown, shown nothing
event payment.created
event payment.processing

> wait 10m
payment failed: due 150000, paid 0, failure PROVIDER_ERROR, $channel failed
event payment.failed
]],

["rubbish: it was made, and is found"] = [[
> next rubbish
200

> create 150000 {"method":"$method","channel":"$channel"}
201 processing: due 150000, paid 0, $channel unknown, shown nothing
event payment.created
event payment.processing

> wait 10m
payment pending: due 150000, paid 0, $channel pending

> pay
200 paid 150000, callback 200
heard doku: applied 200
payment success: due 150000, paid 150000, $channel success
event payment.succeeded
books 150000 payment: provider_receivable:doku -> merchant_payable.pending:merchant
books $fee fee: merchant_payable.pending:merchant -> fee_income
books $vat vat: merchant_payable.pending:merchant -> output_vat
]],

["slow: it comes within the wait"] = [[
> next slow
200

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
]],

["wrong_signature: 401, nothing changes, it comes again"] = [[
> create 150000 {"method":"$method","channel":"$channel"}
201 pending: due 150000, paid 0, $channel pending, shown $shown
event payment.created

> next wrong_signature
200

> pay
200 paid 150000, callback 401

> show
pending: due 150000, paid 0, $channel pending, shown $shown

> wait 3m
payment success: due 150000, paid 150000, $channel success
event payment.succeeded
books 150000 payment: provider_receivable:doku -> merchant_payable.pending:merchant
books $fee fee: merchant_payable.pending:merchant -> fee_income
books $vat vat: merchant_payable.pending:merchant -> output_vat

> wait 40m
heard doku: applied 200
]],

["maintenance: nothing for a while, then as before"] = [[
> next maintenance
200

> create 150000 {"method":"$method","channel":"$channel"}
201 processing: due 150000, paid 0, $channel unknown, shown nothing
event payment.created
event payment.processing

> wait 10m

> next reset
200

> wait 1h
payment failed: due 150000, paid 0, failure PROVIDER_ERROR, $channel failed
event payment.failed
]],
}, "doku", CHANNELS)
