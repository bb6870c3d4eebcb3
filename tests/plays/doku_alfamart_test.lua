-- Cash at Alfamart's tills through DOKU: DOKU cannot refund it, and cannot withdraw the code.
local play = require "play"

return play({
["paid, settled, refunded by hand"] = [[
> hook
201 enabled

> create 150000 {"method":"retail","channel":"doku_alfamart"}
201 pending: due 150000, paid 0, doku_alfamart pending, shown retail alfamart 88888... 16
event payment.created
webhook payment.created: delivered 200

> show
pending: due 150000, paid 0, doku_alfamart pending, shown retail alfamart 88888... 16

> pay
200 paid 150000, callback 200
heard doku: applied 200
payment success: due 150000, paid 150000, doku_alfamart success
event payment.succeeded
webhook payment.succeeded: delivered 200
books 150000 payment: provider_receivable:doku -> merchant_payable.pending:merchant
books 5000 fee: merchant_payable.pending:merchant -> fee_income
books 550 vat: merchant_payable.pending:merchant -> output_vat

> refund 50000 {"destination":{"bank":"bca","account_number":"1234567890","account_holder":"Budi"}}
201 pending 50000
refund pending 50000
event refund.created
webhook refund.created: delivered 200
books 50000 refund: merchant_payable.pending:merchant -> refund_clearing

> wait 5d
books 94450 available: merchant_payable.pending:merchant -> merchant_payable:merchant

> balance
available 10094450, pending 0, held 0
]],

["nobody pays"] = [[
> create 150000 {"method":"retail","channel":"doku_alfamart"}
201 pending: due 150000, paid 0, doku_alfamart pending, shown retail alfamart 88888... 16
event payment.created

> wait 25h
payment expired: due 150000, paid 0, doku_alfamart expired
event payment.expired

> show
expired: due 150000, paid 0, doku_alfamart expired, shown retail alfamart 88888... 16
]],

["cancelled here, paid at the till all the same: it goes back, by hand"] = [[
> create 150000 {"method":"retail","channel":"doku_alfamart"}
201 pending: due 150000, paid 0, doku_alfamart pending, shown retail alfamart 88888... 16
event payment.created

> cancel
200 cancelled
payment cancelled: due 150000, paid 0, doku_alfamart cancelled
event payment.cancelled

> pay
200 paid 150000, callback 200
heard doku: applied 200
refund pending 150000
event payment.late
event refund.created
books 150000 payment: provider_receivable:doku -> suspense
books 150000 refund: suspense -> refund_clearing
]],
}, "doku")
