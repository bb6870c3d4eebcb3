-- Virtual accounts through DOKU, each bank's, from the request to money on its way back: DOKU cannot refund
-- them, so a person pays it to the account that the merchant names.
local play = require "play"

local BANKS = {
  doku_bca_va = { bank = "bca", shown = "va_number 19008... 13" },
  doku_mandiri_va = { bank = "mandiri", shown = "va_number 88899... 13" },
  doku_bsi_va = { bank = "bsi", shown = "va_number 60179... 13" },
  doku_bri_va = { bank = "bri", shown = "va_number 13925... 13" },
  doku_bni_va = { bank = "bni", shown = "va_number 84923... 13" },
  doku_permata_va = { bank = "permata", shown = "va_number 88560... 13" },
  doku_cimb_va = { bank = "cimb", shown = "va_number 18990... 13" },
  doku_danamon_va = { bank = "danamon", shown = "va_number 89220... 13" },
  doku_va = { bank = "doku", shown = "va_number 18993... 13" },
}

return play({
["paid, settled, refunded by hand"] = [[
> hook
201 enabled

> create 150000 {"method":"virtual_account","bank":"$bank","channel":"$channel"}
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
> create 150000 {"method":"virtual_account","bank":"$bank","channel":"$channel"}
201 pending: due 150000, paid 0, $channel pending, shown $shown
event payment.created

> wait 25h
payment expired: due 150000, paid 0, $channel expired
event payment.expired

> show
expired: due 150000, paid 0, $channel expired, shown $shown

> pay
409 INVALID_STATE
]],

["cancelled: the account is gone at the bank"] = [[
> create 150000 {"method":"virtual_account","bank":"$bank","channel":"$channel"}
201 pending: due 150000, paid 0, $channel pending, shown $shown
event payment.created

> cancel
200 cancelled
payment cancelled: due 150000, paid 0, $channel cancelled
event payment.cancelled

> cancel
200 cancelled

> pay
409 INVALID_STATE
]],

["what DOKU did not tell is found by asking"] = [[
> create 150000 {"method":"virtual_account","bank":"$bank","channel":"$channel"}
201 pending: due 150000, paid 0, $channel pending, shown $shown
event payment.created

> next wrong_signature
200

> pay
200 paid 150000, callback 401

> wait 20m
payment success: due 150000, paid 150000, $channel success
event payment.succeeded
books 150000 payment: provider_receivable:doku -> merchant_payable.pending:merchant
books 4000 fee: merchant_payable.pending:merchant -> fee_income
books 440 vat: merchant_payable.pending:merchant -> output_vat

> wait 1h
heard doku: applied 200
]],
}, "doku", BANKS)
