-- channels/self_va.lua: a virtual account whose number we allot ourselves; no provider is called. For
-- an arrangement with a bank of one's own (the number is our prefix and a serial), and the benchmark.
local PREFIX, LAST = "8808", 9999999999

return {
  api = 1, title = "Virtual account, own numbers", provider = "self", method = "virtual_account", bank = "self",
  effect = "offer", amounts = "closed", lookup = "ours",
  limits = { min = 1, max = 500000000 },
  expires = { default = "24h", max = "30d", grace = "15m" },

  -- The number is kept a while longer than it can be paid: what comes late finds its payment.
  create = function(ctx, op)
    local serial = ctx.allocate("va", { 0, LAST }, op.input.expires_at + 30 * 86400000, op.reference)
    if not serial then
      return failed { category = "UNIQUE_CODES_EXHAUSTED", message = "every number is taken" }
    end
    return pending { va_number = PREFIX .. string.format("%010d", serial) }
  end,

  inquire = function(ctx, op) return pending {} end, -- nobody can be asked: the bank tells us
}
