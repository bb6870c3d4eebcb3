-- scripts/api/payments.lua: the merchant API's payments and refunds. What changes something is core's
-- work: it gives the whole answer, so that a repeat with the same Idempotency-Key gets the same bytes.
local query = require "api_query"

local STATUSES = { pending = true, processing = true, success = true, failed = true, expired = true, cancelled = true }

local function missing(what) return problem { code = "NOT_FOUND", detail = "there is no such " .. what } end

local function ask(req, path)
  return {
    merchant = req.merchant, id = req.params.id, body = req.body ~= "" and req.body or nil,
    key = req.headers["idempotency-key"], path = path,
  }
end

local function get_list(req)
  local q, wrong = query.read(req, {
    limit = query.limit, starting_after = query.text, status = query.one_of(STATUSES), order_id = query.text,
    created_after = query.time, created_before = query.time,
  })
  if not q then return wrong end
  local list, _, code = core.payment.list(req.merchant, q.limit or 20, q)
  if code == "E_NOTFOUND" then return query.wrong("starting_after", "there is no such payment") end
  if not list then return problem { code = "UNAVAILABLE", detail = "try again" } end
  return 200, list
end

-- Refunds of one payment, newest first.
local function get_refunds(req)
  local q, wrong = query.read(req, { limit = query.limit, starting_after = query.text })
  if not q then return wrong end
  if not core.payment.get(req.merchant, req.params.id) then return missing "payment" end
  if q.starting_after then
    local before = core.payment.get_refund(req.merchant, q.starting_after)
    if not before or before.payment ~= req.params.id then return query.wrong("starting_after", "there is no such refund") end
  end
  local list = core.payment.refunds(req.params.id, q.limit or 20, q.starting_after)
  if not list then return problem { code = "UNAVAILABLE", detail = "try again" } end
  return 200, list
end

return {
  api = 1,
  title = "Payments",
  routes = {
    ["POST /v1/payments"] = {
      auth = "merchant", timeout = "150s", about = "creates a payment",
      run = query.plain(function(req) return core.payment.create(ask(req, "POST /v1/payments")) end),
    },
    ["GET /v1/payments"] = { auth = "merchant", about = "payments, newest first", run = get_list },
    ["GET /v1/payments/:id"] = {
      auth = "merchant", about = "a payment",
      run = query.plain(function(req)
        local payment = core.payment.get(req.merchant, req.params.id)
        if not payment then return missing "payment" end
        return 200, payment
      end),
    },
    ["POST /v1/payments/:id/cancel"] = {
      auth = "merchant", timeout = "150s", about = "cancels an open payment",
      run = query.bare(function(req) return core.payment.cancel(ask(req)) end),
    },
    ["POST /v1/payments/:id/sync"] = {
      auth = "merchant", timeout = "150s", about = "asks the provider what became of it",
      run = query.bare(function(req) return core.payment.sync(ask(req)) end),
    },
    ["POST /v1/payments/:id/capture"] = {
      auth = "merchant", timeout = "150s", about = "takes money that was authorised",
      run = query.plain(function(req) return core.payment.capture(ask(req, "POST " .. req.path)) end),
    },
    ["POST /v1/payments/:id/refunds"] = {
      auth = "merchant", timeout = "150s", about = "gives money back",
      run = query.plain(function(req) return core.payment.refund(ask(req, "POST " .. req.path)) end),
    },
    ["GET /v1/payments/:id/refunds"] = { auth = "merchant", about = "its refunds, newest first", run = get_refunds },
    ["GET /v1/refunds/:id"] = {
      auth = "merchant", about = "a refund",
      run = query.plain(function(req)
        local refund = core.payment.get_refund(req.merchant, req.params.id)
        if not refund then return missing "refund" end
        return 200, refund
      end),
    },
  },
}
