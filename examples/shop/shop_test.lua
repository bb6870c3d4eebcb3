-- examples/shop: what the shop makes of webhooks that come before the API's answer, or without one.
local SHOP = "examples/shop/scripts/pages/shop.lua"
local SECRET = "whsec_" .. crypto.base64(("k"):rep(32))

-- A basket goes to pay; what the API answers to the payment is the test's. Returns the page's status and the order's id.
local function pay(t, answer)
  t.http.answer { method = "POST", url = "/v1/webhook_endpoints", status = 201, json = { id = "whe_1", secret = SECRET } }
  answer.method, answer.url = "POST", "/v1/payments"
  t.http.answer(answer)
  local status = t.call(SHOP, { "routes", "POST /shop/pay", "run" }, { headers = { host = "shop.example", cookie = "basket=teh.2" } })
  local asked = t.http.requests()
  return status, json.decode(asked[#asked].body).order_id
end

local function told(t, order_id, status, secret)
  local body = json.encode { type = "payment." .. status, data = { id = "pay_1", order_id = order_id, status = status } }
  local key = crypto.base64_decode(((secret or SECRET):gsub("^whsec_", "")))
  return (t.call(SHOP, { "routes", "POST /shop/webhooks", "run" }, { body = body, headers = { ["webhook-id"] = "msg_1", ["webhook-timestamp"] = "1",
    ["webhook-signature"] = "v1," .. crypto.hmac("sha256", key, "msg_1.1." .. body, "base64") } }))
end

local function order(id) return json.decode(store.get("kv_get", "example-shop:orders", id).value) end

return { tests = {
  ["the answer was lost: the webhook still finds its order"] = function(t)
    local status, id = pay(t, { fail = "timeout" })
    t.equal(status, 502)
    t.equal(told(t, id, "success"), 204)
    t.equal(order(id), { total = 65000, heard = "success" })
    t.equal({ told(t, id, "success"), told(t, id, "expired") }, { 204, 204 })
    t.equal(order(id).heard, "success", "paid stays paid")
  end,
  ["the answer and the webhook each write their own part of the order"] = function(t)
    local status, id = pay(t, { status = 201, json = { id = "pay_1", status = "failed", checkout_url = "http://pay.example/pay/1" } })
    t.equal(status, 303)
    t.equal(told(t, id, "failed"), 204)
    t.equal(order(id), { total = 65000, checkout = "http://pay.example/pay/1", heard = "failed" })
  end,
  ["an order that is not there yet is asked for again; another shop's is not ours"] = function(t)
    pay(t, { status = 201, json = { id = "pay_1", status = "pending", checkout_url = "http://pay.example/pay/1" } })
    t.equal(told(t, "WC-NOTYET", "failed"), 503)
    t.equal(told(t, "o-1", "success"), 204)
    t.equal(told(t, "WC-NOTYET", "success", "whsec_" .. crypto.base64 "another"), 401)
  end,
} }
