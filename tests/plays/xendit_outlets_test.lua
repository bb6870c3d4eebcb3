-- The outlets through Xendit: a code that is paid in cash. Xendit cannot refund it.
local play = require "play"

return play({
["paid, settled, refunded by hand"] = [[
> hook
201 enabled

> create 150000 {"method":"retail","channel":"xendit_$outlet"}
201 pending: due 150000, paid 0, xendit_$outlet pending, shown retail $outlet $code
event payment.created
webhook payment.created: delivered 200

> show
pending: due 150000, paid 0, xendit_$outlet pending, shown retail $outlet $code

> pay
200 paid 150000, callback 200
heard xendit: applied 200
payment success: due 150000, paid 150000, xendit_$outlet success
event payment.succeeded
webhook payment.succeeded: delivered 200
books 150000 payment: provider_receivable:xendit -> merchant_payable.pending:merchant
books 5000 fee: merchant_payable.pending:merchant -> fee_income
books 550 vat: merchant_payable.pending:merchant -> output_vat

> refund 50000
400 INVALID_REQUEST destination

> refund 50000 {"destination":{"bank":"bca","account_number":"1234567890","account_holder":"Budi"}}
201 pending 50000
refund pending 50000
event refund.created
webhook refund.created: delivered 200
books 50000 refund: merchant_payable.pending:merchant -> refund_clearing

> wait 5d
books 94450 available: merchant_payable.pending:merchant -> merchant_payable:merchant
]],

["nobody pays"] = [[
> create 150000 {"method":"retail","channel":"xendit_$outlet"}
201 pending: due 150000, paid 0, xendit_$outlet pending, shown retail $outlet $code
event payment.created

> wait 25h
payment expired: due 150000, paid 0, xendit_$outlet expired
event payment.expired

> pay
409 INVALID_STATE
]],

["cancelled"] = [[
> create 150000 {"method":"retail","channel":"xendit_$outlet"}
201 pending: due 150000, paid 0, xendit_$outlet pending, shown retail $outlet $code
event payment.created

> cancel
200 cancelled
payment cancelled: due 150000, paid 0, xendit_$outlet cancelled
event payment.cancelled

> pay
409 INVALID_STATE
]],

["more than a till takes"] = [[
> create 5000001 {"method":"retail","channel":"xendit_$outlet"}
400 LIMIT_EXCEEDED amount
]],
}, "xendit", {
  { name = "alfamart", outlet = "alfamart", code = "ALFA00000001" },
  { name = "indomaret", outlet = "indomaret", code = "INDO00000001" },
})
