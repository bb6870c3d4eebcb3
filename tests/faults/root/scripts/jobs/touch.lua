-- Counts its runs, so that the crash tests can see a job that ran and one that did not.
return {
  api = 1,
  kind = "repeatable",
  run = function(job)
    store.commit { { "counter_take", name = "ran " .. job.args.key, ["until"] = math.maxinteger, now = time.now() } }
  end,
}
