-- Refunds of what Midtrans has besides: Kredivo in parts, ShopeePay as a whole only.
local play = require "play"

local CHANNELS = {
  midtrans_kredivo = { method = "paylater", shown = "redirect /sand... 76", found = "nothing", fee = 3000, vat = 330, rest = 146670, ends = "25h", more = ',"customer":{"name":"Budi","email":"budi@example.com","phone":"081234567890"},"options":{"shipping_address":{"first_name":"Budi","address":"Jalan 1"}}' },
}

return play({
["given back in two parts"] = [[
> create 150000 {"method":"$method","channel":"$channel"$more}
201 pending: due 150000, paid 0, $channel pending, shown $shown
event payment.created

> pay
200 paid 150000, callback 200
heard midtrans: applied 200
payment success: due 150000, paid 150000, $channel success
event payment.succeeded
books 150000 payment: provider_receivable:midtrans -> merchant_payable.pending:merchant
books $fee fee: merchant_payable.pending:merchant -> fee_income
books $vat vat: merchant_payable.pending:merchant -> output_vat

> refund 50000
201 success 50000
payment success: due 150000, paid 150000, refunded 50000, $channel success
refund success 50000
event refund.created
event refund.succeeded
books 50000 refund: merchant_payable.pending:merchant -> refund_clearing
books 50000 refund_paid: refund_clearing -> provider_receivable:midtrans

> refund 100000
201 success 100000
heard midtrans: applied 200
payment success: due 150000, paid 150000, refunded 150000, $channel success
refund success 100000
event refund.created
event refund.succeeded
books 96670 refund: merchant_payable.pending:merchant -> refund_clearing
books 3330 refund: merchant_receivable:merchant -> refund_clearing
books 100000 refund_paid: refund_clearing -> provider_receivable:midtrans

> wait 1h
heard midtrans: applied 200
heard midtrans: applied 200
heard midtrans: applied 200
]],

["ShopeePay gives back the whole only"] = [[
> create 150000 {"method":"ewallet","channel":"midtrans_shopeepay"}
201 pending: due 150000, paid 0, midtrans_shopeepay pending, shown redirect /sand... 78
event payment.created

> pay
200 paid 150000, callback 200
heard midtrans: applied 200
payment success: due 150000, paid 150000, midtrans_shopeepay success
event payment.succeeded
books 150000 payment: provider_receivable:midtrans -> merchant_payable.pending:merchant
books 2703 fee: merchant_payable.pending:merchant -> fee_income
books 297 vat: merchant_payable.pending:merchant -> output_vat

> refund 50000
201 failed 50000
refund failed 50000
event refund.created
event refund.failed
books 50000 refund: merchant_payable.pending:merchant -> refund_clearing
books 50000 refund_failed: refund_clearing -> merchant_payable.pending:merchant

> refund 150000
201 success 150000
payment success: due 150000, paid 150000, refunded 150000, midtrans_shopeepay success
refund success 150000
event refund.created
event refund.succeeded
books 147000 refund: merchant_payable.pending:merchant -> refund_clearing
books $fee refund: merchant_receivable:merchant -> refund_clearing
books 150000 refund_paid: refund_clearing -> provider_receivable:midtrans

> wait 1h
heard midtrans: applied 200
heard midtrans: applied 200
]],
}, "midtrans", CHANNELS)
