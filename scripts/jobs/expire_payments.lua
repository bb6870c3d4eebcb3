-- scripts/jobs/expire_payments.lua: what is not paid in time expires, after the channel's grace and a
-- last look at the provider. All that is due is gone through each time: who is asked is asked by a job of
-- its own, so a provider that does not answer keeps nobody else's payments open.
return {
  api = 1, title = "Expire payments", every = "15m", kind = "repeatable", timeout = "10m",
  run = function()
    local last
    repeat
      local ids, why = core.payment.due("expire", last)
      if not ids then error(why) end
      for _, id in ipairs(ids) do
        local _, text = core.payment.expire(id)
        if text then log.warn("payment_not_expired", { payment = id, error = text }) end
        last = id
      end
    until #ids == 0
  end,
}
