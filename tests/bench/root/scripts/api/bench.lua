-- The benchmark's routes; tests/bench/bench.mjs says what they are held against.
local DAY = 86400000

return {
  api = 1,
  routes = {
    -- JSON in, one field set, JSON out.
    ["POST /bench/echo"] = {
      auth = "none",
      run = function(req)
        local body, why = req:json()
        if not body then return problem { status = 400, code = "INVALID_REQUEST", detail = why } end
        body.seen = true
        return 200, body
      end,
    },
    -- Three rows in one durable commit: a record with the request as its document, an event, a job due later.
    ["POST /bench/write"] = {
      auth = "none",
      run = function(req)
        local body, why = req:json()
        if not body then return problem { status = 400, code = "INVALID_REQUEST", detail = why } end
        local now, id = time.now(), "op_" .. crypto.uuid_v7()
        local done, text = store.commit {
          { "operation_insert", id = id, kind = "create", script = "bench", version = "v1", account = "bench",
            reference = crypto.random(16, "hex"), status = "sending", doc = json.encode(body),
            now = now },
          { "event_append", topic = "merchant_" .. crypto.random_int(0, 15), type = "operation.created",
            object = id, doc = "{}", at = now },
          { "job_enqueue", id = "job_" .. crypto.uuid_v7(), name = "ask", args = "{}", due_at = now + DAY,
            priority = 0, once = false, now = now },
        }
        if not done then return problem { status = 503, code = "UNAVAILABLE", detail = text } end
        return 200, { id = id }
      end,
    },
  },
}
