-- scripts/api/payments.lua: the merchant API's payments. What is written is core's work: it gives the
-- whole answer, so that a repeat with the same Idempotency-Key gets the same bytes.
local function not_found() return problem { code = "NOT_FOUND", detail = "there is no such payment" } end

return {
  api = 1,
  title = "Payments",
  routes = {
    ["POST /v1/payments"] = {
      auth = "merchant",
      timeout = "60s",
      about = "creates a payment",
      run = function(req)
        return core.payment.create {
          merchant = req.merchant, body = req.body, key = req.headers["idempotency-key"], path = "POST /v1/payments",
        }
      end,
    },
    ["GET /v1/payments/:id"] = {
      auth = "merchant",
      about = "a payment",
      run = function(req)
        local payment = core.payment.get(req.merchant, req.params.id)
        if not payment then return not_found() end
        return 200, payment
      end,
    },
  },
}
