-- What the crash tests write: a record under the client's key, an event and a due job, in one commit.
return {
  api = 1,
  routes = {
    ["POST /load/:key"] = {
      auth = "none",
      run = function(req)
        local key, now = req.params.key, time.now()
        local done, text, code = store.commit {
          { "kv_put", scope = "load", key = key, value = req.body, version = 0 },
          { "event_append", topic = "load", type = "load", object = key, doc = req.body, at = now },
          { "job_enqueue", id = "job_" .. key, name = "scripts/jobs/touch.lua", args = json.encode { key = key },
            due_at = now, priority = 0, once = false, unique_key = key, now = now },
        }
        if not done then return 503, { key = key, error = text, code = code } end
        return 201, { key = key }
      end,
    },
    ["GET /load"] = {
      auth = "none",
      run = function()
        local keys, events, jobs = {}, {}, 0
        local after = ""
        while true do
          local rows = assert(store.query("kv_list", "load", after, 500))
          for _, row in ipairs(rows) do keys[#keys + 1] = row.key end
          if #rows < 500 then break end
          after = rows[#rows].key
        end
        local last = 0
        while true do
          local rows = assert(store.query("events_after", "load", last, 500))
          for _, row in ipairs(rows) do events[#events + 1] = row.object end
          if #rows < 500 then break end
          last = rows[#rows].sequence
        end
        for _, row in ipairs(assert(store.query("jobs_count"))) do jobs = jobs + row.jobs end
        return 200, { keys = json.array(keys), events = json.array(events), jobs = jobs }
      end,
    },
  },
}
