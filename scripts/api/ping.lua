-- scripts/api/ping.lua: the smallest route there is; change it while the server runs.
return {
  api = 1,
  routes = {
    ["GET /v1/ping"] = { auth = "none", run = function(req) return 200, { pong = true, request_id = req.id } end },
  },
}
