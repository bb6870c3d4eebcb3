-- A payment with more than one way to be paid: the payer changed his mind, and each way is its own.
local play = require "play"

return play {
["the merchant's cancel is not the withdrawal of an older way"] = [[
> create 50000
201 pending: due 50000, paid 0, shown nothing
event payment.created

> choose virtual_account.bca
303 pending: due 50000, paid 0, midtrans_bca_va pending, shown va_number 81278... 16

> next timeout_before_debit
200

> choose virtual_account.cimb
303 pending: due 50000, paid 0, midtrans_bca_va superseded, xendit_cimb_va pending, shown va_number 93490... 16

> cancel
200 cancelled
payment cancelled: due 50000, paid 0, midtrans_bca_va superseded, xendit_cimb_va cancelled
event payment.cancelled
]],
}
