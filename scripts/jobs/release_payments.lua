-- scripts/jobs/release_payments.lua: T+n: what a merchant's payments brought becomes available.
return {
  api = 1, title = "Make money available", every = "1h", kind = "repeatable", timeout = "30m",
  run = function()
    while true do
      local ids, done = core.payment.due "available", 0
      for _, id in ipairs(ids) do
        local ok, why = core.payment.available(id)
        if ok then done = done + 1 else log.warn("payment_not_available", { payment = id, error = why or "" }) end
      end
      if done == 0 then return end
    end
  end,
}
