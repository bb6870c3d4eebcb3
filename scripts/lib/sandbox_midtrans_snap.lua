-- scripts/lib/sandbox_midtrans_snap.lua: Snap's pages at Midtrans' simulator: made, picked on, cancelled.
-- "snap TOKEN" one page each, "page ORDER" -> the newest page of an order.
local simulator = require "simulator"
local snap = {}

local DAY = 86400000
local UNITS = { minute = 60000, minutes = 60000, hour = 3600000, hours = 3600000, day = DAY, days = DAY }
-- What is charged when the payer picks; the first of the list that is known.
local WAYS = {
  credit_card = { payment_type = "credit_card" }, bca_va = { payment_type = "bank_transfer", bank_transfer = { bank = "bca" } },
  bni_va = { payment_type = "bank_transfer", bank_transfer = { bank = "bni" } }, bri_va = { payment_type = "bank_transfer", bank_transfer = { bank = "bri" } },
  permata_va = { payment_type = "bank_transfer", bank_transfer = { bank = "permata" } }, cimb_va = { payment_type = "bank_transfer", bank_transfer = { bank = "cimb" } },
  danamon_va = { payment_type = "bank_transfer", bank_transfer = { bank = "danamon" } },
  echannel = { payment_type = "echannel", echannel = { bill_info1 = "Payment:", bill_info2 = "Snap" } },
  gopay = { payment_type = "gopay" }, qris = { payment_type = "qris" }, other_qris = { payment_type = "qris" },
  alfamart = { payment_type = "cstore", cstore = { store = "alfamart" } }, indomaret = { payment_type = "cstore", cstore = { store = "indomaret" } },
  akulaku = { payment_type = "akulaku" },
}

function snap.refuse(status, ...) return reply(status, { error_messages = json.array { ... } }) end

function snap.of_token(ctx, token)
  return type(token) == "string" and #token <= 100 and simulator.read(ctx, "snap " .. token) or nil
end

local function of_order(ctx, order)
  return type(order) == "string" and #order <= 100 and snap.of_token(ctx, ctx.store.get("page " .. order)) or nil
end

function snap.open(ctx, made) return not made.canceled_at and ctx.now() < made.expires_at end

function snap.create(ctx, want, urls, base)
  local details = type(want.transaction_details) == "table" and want.transaction_details or {}
  local order, amount = details.order_id, details.gross_amount
  if type(order) ~= "string" or order == "" then return snap.refuse(400, "transaction_details.order_id is required") end
  if #order > 50 or order:find "[^%w%-_~.]" then return snap.refuse(400, "transaction_details.order_id is invalid") end
  if math.type(amount) ~= "integer" or amount < 1 then return snap.refuse(400, "transaction_details.gross_amount is not a number") end
  local way
  for _, name in ipairs(type(want.enabled_payments) == "table" and want.enabled_payments or { "credit_card" }) do way = way or WAYS[name] and name end
  if not way then return snap.refuse(400, "enabled_payments is invalid") end
  local expiry = type(want.expiry) == "table" and want.expiry or {}
  local lasts = UNITS[expiry.unit] and math.type(expiry.duration) == "integer" and expiry.duration > 0 and UNITS[expiry.unit] * expiry.duration or DAY
  local token, callbacks = crypto.uuid(), type(want.callbacks) == "table" and want.callbacks or {}
  local made = { token = token, order_id = order, amount = amount, way = way, urls = urls, made_at = ctx.now(), expires_at = ctx.now() + lasts,
    custom_field1 = want.custom_field1, custom_field2 = want.custom_field2, back = type(callbacks.finish) == "string" and callbacks.finish or nil }
  ctx.store.put("snap " .. token, json.encode(made))
  ctx.store.put("page " .. order, token)
  for _, ref in ipairs { made.custom_field1 or false, made.custom_field2 or false } do
    if ref then ctx.store.put("page " .. ref, token) end
  end
  return reply(201, { token = token, redirect_url = base .. "/snap/v3/redirection/" .. token })
end

function snap.cancel(ctx, token, busy)
  local no
  simulator.update(ctx, "snap " .. token:sub(1, 100), function(made)
    no = not made and "token not found" or made.canceled_at and "token already canceled" or busy and "Transaction is on progress" or nil
    if no then return end
    made.canceled_at = ctx.now()
    return made
  end)
  if no then return snap.refuse(no == "token not found" and 404 or 400, no) end
  return reply(200, { canceled_at = time.format(ctx.now(), "%Y-%m-%dT%H:%M:%S.%LZ", "UTC") })
end

-- The charge that a pick comes to, on the newest page of the order; nil: there is none, or it is over.
function snap.pick(ctx, ref)
  local made = of_order(ctx, ref)
  if not made or not snap.open(ctx, made) then return nil end
  local want = { transaction_details = { order_id = made.order_id, gross_amount = made.amount }, custom_field1 = made.custom_field1,
    custom_field2 = made.custom_field2, custom_expiry = { expiry_duration = math.max(20, (made.expires_at - ctx.now()) // 1000), unit = "second" } }
  for name, value in pairs(WAYS[made.way]) do want[name] = value end
  if want.payment_type == "credit_card" then want.card = { masked = "48111111-1114" } end
  return { want = want, urls = made.urls }
end

return snap
