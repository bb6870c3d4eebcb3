-- The wallets through Xendit whose app rings by itself: OVO by the phone number, Jenius Pay by the cashtag.
local play = require "play"

return play({
["paid"] = [[
> hook
201 enabled

> create 50000 {"method":"ewallet","bank":"$wallet","options":{$who}}
201 pending: due 50000, paid 0, xendit_$channel pending, shown push $message
event payment.created
webhook payment.created: delivered 200

> show
pending: due 50000, paid 0, xendit_$channel pending, shown push $message

> pay
200 paid 50000, callback 200
heard xendit: applied 200
payment success: due 50000, paid 50000, xendit_$channel success
event payment.succeeded
webhook payment.succeeded: delivered 200
books 50000 payment: provider_receivable:xendit -> merchant_payable.pending:merchant
books $fee fee: merchant_payable.pending:merchant -> fee_income
books $vat vat: merchant_payable.pending:merchant -> output_vat

> wait 5d
books $net available: merchant_payable.pending:merchant -> merchant_payable:merchant
]],

["nobody confirms"] = [[
> create 50000 {"method":"ewallet","bank":"$wallet","options":{$who}}
201 pending: due 50000, paid 0, xendit_$channel pending, shown push $message
event payment.created

> wait 20m
heard xendit: applied 200
payment failed: due 50000, paid 0, failure TIMEOUT, xendit_$channel failed
event payment.failed

> show
failed: due 50000, paid 0, failure TIMEOUT, xendit_$channel failed, shown push $message

> pay
409 INVALID_STATE
]],

["who shall pay is not said"] = [[
> create 50000 {"method":"ewallet","bank":"$wallet"}
400 INVALID_REQUEST options.$input
]],

["who shall pay is nobody's"] = [[
> create 50000 {"method":"ewallet","bank":"$wallet","options":{$nobody}}
201 failed: due 50000, paid 0, failure INVALID_REQUEST, xendit_$channel failed, shown nothing
event payment.created
event payment.failed
]],

["no answer, and it had arrived: confirmed before we asked"] = [[
> next timeout_after_debit
200

> create 50000 {"method":"ewallet","bank":"$wallet","options":{$who}}
201 processing: due 50000, paid 0, xendit_$channel sending, shown nothing
event payment.created

> pay
200 paid 50000, callback 200
heard xendit: applied 200
payment success: due 50000, paid 50000, xendit_$channel success
event payment.succeeded
books 50000 payment: provider_receivable:xendit -> merchant_payable.pending:merchant
books $fee fee: merchant_payable.pending:merchant -> fee_income
books $vat vat: merchant_payable.pending:merchant -> output_vat

> sleep 60s

> wait 10m
]],

["no answer, and it never arrived"] = [[
> next timeout_before_debit
200

> create 50000 {"method":"ewallet","bank":"$wallet","options":{$who}}
201 processing: due 50000, paid 0, xendit_$channel sending, shown nothing
event payment.created

> sleep 60s
payment processing: due 50000, paid 0, xendit_$channel unknown
event payment.processing

> wait 10m
payment failed: due 50000, paid 0, failure PROVIDER_ERROR, xendit_$channel failed
event payment.failed
]],
}, "xendit", {
  { name = "ovo", wallet = "ovo", channel = "ovo", who = '"phone":"0812-3456-7890"', nobody = '"phone":"none"', input = "phone",
    message = "Open ... 37", fee = "750", vat = "83", net = "49167" },
  { name = "jenius", wallet = "jenius", channel = "jeniuspay", who = '"cashtag":"budi"', nobody = '"cashtag":"a b"', input = "cashtag",
    message = "Open ... 36", fee = "1000", vat = "110", net = "48890" },
})
