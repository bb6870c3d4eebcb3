-- scripts/jobs/simulator.lua: what a simulator wanted to do later (an expiry, a callback that goes
-- again), at its time. Only simulators enqueue it, so it never runs outside simulated mode.
return {
  api = 1,
  title = "What a simulator does later",
  kind = "repeatable",
  backoff = { first = "5s", factor = 2, max = "1m", tries = 20 },
  run = function(job)
    local what = { name = job.args.name, arg = job.args.arg }
    local answer, why = http.post { url = "http://luwak.simulated/sandbox/" .. job.args.provider .. "/_due", json = what, timeout = "30s" }
    if not answer or answer.status >= 300 then error(why or "the simulator answered " .. answer.status) end
  end,
}
