-- scripts/jobs/release_payments.lua: T+n: what a merchant's payments brought becomes available.
return {
  api = 1, title = "Make money available", every = "1h", kind = "repeatable", timeout = "30m",
  run = function()
    local last
    repeat
      local ids, why = core.payment.due("available", last)
      if not ids then error(why) end
      for _, id in ipairs(ids) do
        local ok, text = core.payment.available(id)
        if not ok then log.warn("payment_not_available", { payment = id, error = text or "" }) end
      end
      last = ids[#ids]
    until #ids == 0
  end,
}
