-- What is done in Midtrans' own dashboard: our books know nothing of it, so a person is told.
local HOME = "http://luwak.simulated"

local function ask(path, body, key)
  local answer = assert(http.post { url = HOME .. path, basic = { "sk_test_demo", "" }, json = body, timeout = "30s",
    headers = { ["Idempotency-Key"] = key } })
  assert(answer.status < 300, answer.body)
  return answer:json()
end

local function paid(reference)
  local p = ask("/v1/payments", { order_id = reference, amount = 150000, method = "ewallet", channel = "midtrans_gopay" }, reference)
  ask("/sandbox/midtrans/_control", { pay = reference })
  return p
end

-- As the dashboard does it: beside us.
local function at_midtrans(order, body)
  local answer = assert(http.post { url = HOME .. "/sandbox/midtrans/v2/" .. order .. "/refund", basic = { "SB-Mid-server-demo", "" }, json = body })
  assert(answer:json().status_code == "200", answer.body)
  return answer:json()
end

-- What the log says of it, each once: it is told twice of each refund, and with each of all before.
local function told(t)
  local list, seen = {}, {}
  for line in t.log():gmatch "%b{}" do
    local l = json.decode(line)
    local text = l.event == "midtrans_refunded" and l.level .. " " .. l.order .. " " .. l.refund_key:sub(1, 10) .. " " .. l.amount
    if text and not seen[text] then list[#list + 1], seen[text] = text, true end
  end
  return list
end

return { tests = {
  ["a refund of ours is no news, whatever the order is called"] = function(t)
    for i, order in ipairs { "d-1", "order~with.all_of-them-and-more-than-40-long" } do
      local p = paid(order)
      ask("/v1/payments/" .. p.id .. "/refunds", { amount = 50000 }, "r-" .. i)
      t.clock.advance "10m"
    end
    t.equal(told(t), {})
  end,
  ["a refund made there is told to a person"] = function(t)
    local p = paid "d-2"
    ask("/v1/payments/" .. p.id .. "/refunds", { amount = 50000 }, "r-1")
    at_midtrans(p.attempts[1].reference, { amount = 20000 })
    t.clock.advance "10m"
    t.equal(told(t), { "error d-2 reference- 20000.00" })
    at_midtrans(p.attempts[1].reference, {})
    t.clock.advance "10m"
    t.equal(told(t), { "error d-2 reference- 20000.00", "error d-2 reference- 80000.00" })
  end,
} }
