-- @NAME@, as stories: what somebody does, and below it what it came to. `luwak conform @NAME@` holds it against
-- the suite that every channel passes.
local play = require "play"

return play({
["paid"] = [[
> create 150000 {"channel":"@NAME@"}
201 pending: due 150000, paid 0, @NAME@ pending, shown @PLAY@
event payment.created

> pay
200 paid 150000, callback 200
heard @PROVIDER@: applied 200
payment success: due 150000, paid 150000, @NAME@ success
event payment.succeeded
books 150000 payment: provider_receivable:@PROVIDER@ -> merchant_payable.pending:merchant
]],

["cancelled"] = [[
> create 150000 {"channel":"@NAME@"}
201 pending: due 150000, paid 0, @NAME@ pending, shown @PLAY@
event payment.created

> cancel
200 cancelled
payment cancelled: due 150000, paid 0, @NAME@ cancelled
event payment.cancelled

> pay
409 INVALID_STATE
]],
}, "@PROVIDER@")
