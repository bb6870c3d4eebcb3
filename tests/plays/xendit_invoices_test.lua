-- What is paid on Xendit's hosted page: cards, which never come near us, and pay-later.
local play = require "play"

return play({
["paid and settled"] = [[
> hook
201 enabled

> create 100000 {"method":"$method","channel":"xendit_$channel"}
201 pending: due 100000, paid 0, xendit_$channel pending, shown redirect /sand... 44
event payment.created
webhook payment.created: delivered 200

> show
pending: due 100000, paid 0, xendit_$channel pending, shown redirect /sand... 44

> pay
200 paid 100000, callback 200
heard xendit: applied 200
payment success: due 100000, paid 100000, xendit_$channel success
event payment.succeeded
webhook payment.succeeded: delivered 200
books 100000 payment: provider_receivable:xendit -> merchant_payable.pending:merchant
books $fee fee: merchant_payable.pending:merchant -> fee_income
books $vat vat: merchant_payable.pending:merchant -> output_vat

> wait 5d
books $net available: merchant_payable.pending:merchant -> merchant_payable:merchant
]],

["nobody pays"] = [[
> create 100000 {"method":"$method","channel":"xendit_$channel","expires_in":3600}
201 pending: due 100000, paid 0, xendit_$channel pending, shown redirect /sand... 44
event payment.created

> wait 2h
heard xendit: applied 200
payment expired: due 100000, paid 0, xendit_$channel expired
event payment.expired

> pay
409 INVALID_STATE
]],

["cancelled"] = [[
> create 100000 {"method":"$method","channel":"xendit_$channel"}
201 pending: due 100000, paid 0, xendit_$channel pending, shown redirect /sand... 44
event payment.created

> cancel
200 cancelled
payment cancelled: due 100000, paid 0, xendit_$channel cancelled
event payment.cancelled

> pay
409 INVALID_STATE
]],

["no answer, and it had arrived"] = [[
> next timeout_after_debit
200

> create 100000 {"method":"$method","channel":"xendit_$channel"}
201 processing: due 100000, paid 0, xendit_$channel sending, shown nothing
event payment.created

> sleep 60s
payment processing: due 100000, paid 0, xendit_$channel unknown
event payment.processing

> wait 10m
payment pending: due 100000, paid 0, xendit_$channel pending

> pay
200 paid 100000, callback 200
heard xendit: applied 200
payment success: due 100000, paid 100000, xendit_$channel success
event payment.succeeded
books 100000 payment: provider_receivable:xendit -> merchant_payable.pending:merchant
books $fee fee: merchant_payable.pending:merchant -> fee_income
books $vat vat: merchant_payable.pending:merchant -> output_vat
]],
}, "xendit", {
  { name = "card", method = "card", channel = "card", fee = "4900", vat = "539", net = "94561" },
  { name = "kredivo", method = "paylater", channel = "kredivo", fee = "2300", vat = "253", net = "97447" },
  { name = "akulaku", method = "paylater", channel = "akulaku", fee = "2300", vat = "253", net = "97447" },
})
