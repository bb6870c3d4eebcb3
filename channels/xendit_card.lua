-- channels/xendit_card.lua: cards through Xendit's hosted invoice: number, CVV and 3DS stay on its page and
-- never come near us. A declined try ends nothing, the payer tries again there until the invoice expires.
local xendit = require "xendit"

return xendit.invoice {
  title = "Card (Xendit)",
  method = "card",
  only = "CREDIT_CARD",
  limits = { min = 10000, max = 200000000 }, -- none in the reference: a contract's may be narrower
  refunds = true, -- by the invoice, which the SDK takes; the window is the acquirer's

  certainty = "invoices as the publisher's documentation and SDK have them; refunds of an invoice as the SDK types them",
}
