-- scripts/jobs/purge_events.lua: forgets events that are older than KEEP_DAYS: GET /v1/events answers 410 with
-- the oldest that is kept, and `luwak verify` still proves that there is no gap from there on. Never the
-- newest event of a merchant, and nothing that an endpoint has still to be told.
local KEEP_DAYS = 90
local CHUNK, CHUNKS = 200, 500 -- small commits, so that nobody waits behind one; the rest the next night

return {
  api = 1, title = "Old events", every = "1d at 03:30", kind = "repeatable", timeout = "30m",
  run = function()
    local before, after, count = time.now() - KEEP_DAYS * 86400000, "", 0
    while count < CHUNKS do
      local topics, why = store.query("events_over", before, CHUNK, after)
      if not topics then error("events are not purged: " .. why) end
      if #topics == 0 and after == "" then break end
      for _, topic in ipairs(topics) do
        local done, text, code = store.commit { { "event_purge", topic = topic.name, kept = topic.kept } }
        if not done and code ~= "E_GUARD" then error("events are not purged: " .. text) end
        count = count + 1
      end
      after = #topics == 100 and topics[100].name or "" -- from the beginning again, until there is nothing left
    end
    if count > 0 then log.info("events_purged", { before = time.format(before), commits = count }) end
  end,
}
