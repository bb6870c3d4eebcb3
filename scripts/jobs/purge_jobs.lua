-- scripts/jobs/purge_jobs.lua: forgets jobs that were done more than 30 days ago. What is dead or lost
-- stays until a person has seen it.
local KEEP_MS = 30 * 24 * 3600 * 1000
local CHUNK, CHUNKS = 500, 20 -- a night's share: small commits, so that nobody waits behind one

return {
  api = 1,
  every = "1d at 03:00",
  kind = "repeatable",
  run = function(job)
    local before = time.now() - KEEP_MS
    for _ = 1, CHUNKS do
      local done, why = store.commit { { "job_purge", before = before, limit = CHUNK } }
      if not done then error("jobs are not purged: " .. why) end
    end
    log.info("jobs_purged", { before = time.format(before) })
  end,
}
