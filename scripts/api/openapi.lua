-- scripts/api/openapi.lua: the merchant API described, for machines and for people, from the routes that serve.
local openapi = require "openapi"

return {
  api = 1,
  title = "Reference",
  routes = {
    ["GET /openapi.json"] = { auth = "none", about = "the merchant API as OpenAPI 3.1", run = function() return 200, openapi.document(core.routes.list()) end },
    ["GET /docs"] = {
      auth = "none", about = "the same for a person",
      run = function()
        return reply(200, openapi.page(openapi.document(core.routes.list())), { ["Content-Type"] = "text/html; charset=utf-8" })
      end,
    },
  },
}
