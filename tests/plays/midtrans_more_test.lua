-- What Midtrans has besides: each way to pay from the request to the money, and where it ends without.
local play = require "play"

local CHANNELS = {
  midtrans_cimb_va = { method = "virtual_account", shown = "va_number 81093... 18", found = "va_number 81093... 18", fee = 4000, vat = 440, rest = 145560, ends = "25h", more = "" },
  midtrans_danamon_va = { method = "virtual_account", shown = "va_number 89220... 16", found = "nothing", fee = 4000, vat = 440, rest = 145560, ends = "25h", more = "" },
  midtrans_alfamart = { method = "retail", shown = "retail alfamart 88000... 16", found = "retail alfamart 88000... 16", fee = 5000, vat = 550, rest = 144450, ends = "25h", more = "" },
  midtrans_indomaret = { method = "retail", shown = "retail indomaret 25000... 16", found = "retail indomaret 25000... 16", fee = 5000, vat = 550, rest = 144450, ends = "25h", more = "" },
  midtrans_shopeepay = { method = "ewallet", shown = "redirect /sand... 78", found = "nothing", fee = 2703, vat = 297, rest = 147000, ends = "1h", more = "" },
  midtrans_akulaku = { method = "paylater", shown = "redirect /sand... 76", found = "nothing", fee = 3000, vat = 330, rest = 146670, ends = "25h", more = "" },
  midtrans_kredivo = { method = "paylater", shown = "redirect /sand... 76", found = "nothing", fee = 3000, vat = 330, rest = 146670, ends = "25h", more = ',"customer":{"name":"Budi","email":"budi@example.com","phone":"081234567890"},"options":{"shipping_address":{"first_name":"Budi","address":"Jalan 1"}}' },
  midtrans_cimb_clicks = { method = "bank_transfer", shown = "redirect /sand... 80", found = "nothing", fee = 5000, vat = 550, rest = 144450, ends = "3h", more = "" },
}

return play({
["paid and settled"] = [[
> hook
201 enabled

> create 150000 {"method":"$method","channel":"$channel"$more}
201 pending: due 150000, paid 0, $channel pending, shown $shown
event payment.created
webhook payment.created: delivered 200

> show
pending: due 150000, paid 0, $channel pending, shown $shown

> pay
200 paid 150000, callback 200
heard midtrans: applied 200
payment success: due 150000, paid 150000, $channel success
event payment.succeeded
webhook payment.succeeded: delivered 200
books 150000 payment: provider_receivable:midtrans -> merchant_payable.pending:merchant
books $fee fee: merchant_payable.pending:merchant -> fee_income
books $vat vat: merchant_payable.pending:merchant -> output_vat

> wait 5d
books $rest available: merchant_payable.pending:merchant -> merchant_payable:merchant
]],

["nobody pays"] = [[
> create 150000 {"method":"$method","channel":"$channel"$more}
201 pending: due 150000, paid 0, $channel pending, shown $shown
event payment.created

> wait $ends
heard midtrans: applied 200
payment expired: due 150000, paid 0, $channel expired
event payment.expired

> show
expired: due 150000, paid 0, $channel expired, shown $shown
]],

["cancelled"] = [[
> create 150000 {"method":"$method","channel":"$channel"$more}
201 pending: due 150000, paid 0, $channel pending, shown $shown
event payment.created

> cancel
200 cancelled
payment cancelled: due 150000, paid 0, $channel cancelled
event payment.cancelled
]],

["wrong_signature: 401, nothing changes, it comes again"] = [[
> create 150000 {"method":"$method","channel":"$channel"$more}
201 pending: due 150000, paid 0, $channel pending, shown $shown
event payment.created

> next wrong_signature
200

> pay
200 paid 150000, callback 401

> wait 5m
heard midtrans: applied 200
payment success: due 150000, paid 150000, $channel success
event payment.succeeded
books 150000 payment: provider_receivable:midtrans -> merchant_payable.pending:merchant
books $fee fee: merchant_payable.pending:merchant -> fee_income
books $vat vat: merchant_payable.pending:merchant -> output_vat
]],

["timeout_before_debit: nothing was made"] = [[
> next timeout_before_debit
200

> create 150000 {"method":"$method","channel":"$channel"$more}
201 processing: due 150000, paid 0, $channel sending, shown nothing
event payment.created

> sleep 60s
payment processing: due 150000, paid 0, $channel unknown
event payment.processing

> wait 10m
payment failed: due 150000, paid 0, failure PROVIDER_ERROR, $channel failed
event payment.failed
]],
}, "midtrans", CHANNELS)
