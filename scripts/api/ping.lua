-- scripts/api/ping.lua: the smallest route there is; change it while the server runs.
local function invalid(name) return problem { code = "INVALID_REQUEST", param = name, detail = "there is no such parameter" } end

return {
  api = 1,
  routes = {
    ["GET /v1/ping"] = {
      auth = "none",
      run = function(req)
        local name = next(req:args() or { ["?"] = true })
        if name then return invalid(name ~= "?" and name or nil) end
        return 200, { pong = true, request_id = req.id }
      end,
    },
  },
}
