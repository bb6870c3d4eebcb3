-- The virtual accounts through Xendit, from the request to money on its way back: Xendit cannot refund
-- them, so a person pays it to the account that the merchant names. Xendit tells of no expiry.
local play = require "play"

return play({
["paid, settled, refunded by hand"] = [[
> hook
201 enabled

> create 150000 {"method":"virtual_account","channel":"xendit_$bank_va"}
201 pending: due 150000, paid 0, xendit_$bank_va pending, shown va_number $number
event payment.created
webhook payment.created: delivered 200

> show
pending: due 150000, paid 0, xendit_$bank_va pending, shown va_number $number

> pay
200 paid 150000, callback 200
heard xendit: applied 200
payment success: due 150000, paid 150000, xendit_$bank_va success
event payment.succeeded
webhook payment.succeeded: delivered 200
books 150000 payment: provider_receivable:xendit -> merchant_payable.pending:merchant
books 4000 fee: merchant_payable.pending:merchant -> fee_income
books 440 vat: merchant_payable.pending:merchant -> output_vat

> refund 50000
400 INVALID_REQUEST destination

> refund 50000 {"destination":{"bank":"bca","account_number":"1234567890","account_holder":"Budi"}}
201 pending 50000
refund pending 50000
event refund.created
webhook refund.created: delivered 200
books 50000 refund: merchant_payable.pending:merchant -> refund_clearing

> wait 5d
books 95560 available: merchant_payable.pending:merchant -> merchant_payable:merchant

> balance
available 10095560, pending 0, held 0
]],

["nobody pays"] = [[
> create 150000 {"method":"virtual_account","channel":"xendit_$bank_va"}
201 pending: due 150000, paid 0, xendit_$bank_va pending, shown va_number $number
event payment.created

> wait 25h
payment expired: due 150000, paid 0, xendit_$bank_va expired
event payment.expired

> show
expired: due 150000, paid 0, xendit_$bank_va expired, shown va_number $number

> pay
409 INVALID_STATE
]],

["cancelled"] = [[
> create 150000 {"method":"virtual_account","channel":"xendit_$bank_va"}
201 pending: due 150000, paid 0, xendit_$bank_va pending, shown va_number $number
event payment.created

> cancel
200 cancelled
payment cancelled: due 150000, paid 0, xendit_$bank_va cancelled
event payment.cancelled

> cancel
200 cancelled

> pay
409 INVALID_STATE
]],
}, "xendit", {
  { name = "bca", bank = "bca", number = "10766... 16" },
  { name = "bni", bank = "bni", number = "88080... 16" },
  { name = "bri", bank = "bri", number = "13282... 16" },
  { name = "mandiri", bank = "mandiri", number = "88608... 16" },
  { name = "permata", bank = "permata", number = "82145... 16" },
  { name = "cimb", bank = "cimb", number = "93490... 16" },
})
