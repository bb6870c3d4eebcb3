-- scripts/jobs/start_payment.lua: begins a payment that a person let go (scripts/tools/review.lua). Where it has
-- begun meanwhile there is nothing to do; where no channel is available it is tried again.
return {
  api = 1, kind = "repeatable", timeout = "150s",
  run = function(job)
    local answer = core.payment.start { merchant = job.args.merchant, id = job.args.payment }
    if answer.status == 200 or answer.status == 201 or answer.status == 409 then return end
    error(("payment %s does not begin: %d %s"):format(job.args.payment, answer.status, answer.body))
  end,
}
