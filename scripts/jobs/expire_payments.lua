-- scripts/jobs/expire_payments.lua: what is not paid in time expires, after the channel's grace and a
-- last look at the provider. What cannot be known now is looked at again.
return {
  api = 1, title = "Expire payments", every = "15m", kind = "repeatable", timeout = "10m",
  run = function()
    for _, id in ipairs(core.payment.due "expire") do
      local ok, why = core.payment.expire(id)
      if why then log.warn("payment_not_expired", { payment = id, error = why }) end
      if ok then log.debug("payment_expired", { payment = id }) end
    end
  end,
}
