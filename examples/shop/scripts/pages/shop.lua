-- examples/shop/scripts/pages/shop.lua: a shop, as a merchant would write one, only shorter: a page with a
-- basket, one call to make a payment, and a webhook that says when it is paid. It knows of Luwak what any
-- shop knows: the merchant API, an API key, and the secret of its webhook endpoint. `make run` serves it
-- at /shop; outside of simulated mode there is nothing at these paths.
--
-- What to take from it: the order is paid when a webhook with a good signature says so (or when the API
-- does), never because a browser came back; a webhook may come twice, in any order, and before the API has
-- answered the call that it is about. So an order is kept before its payment is asked for, and is found by its own
-- id; and a webhook about an order that the shop does not find is refused, so that it is told again.
local html = require "html"
local assets = require "checkout_assets"

local API, KEY = "http://luwak.simulated", "sk_test_demo" -- elsewhere: https://pay.your-company.example, from your configuration
local ORDERS, SETTINGS = "example-shop:orders", "example-shop:settings"
local GOODS = {
  { id = "kopi", name = "Kopi Gayo 250 g", about = "Arabika, sangrai sedang", price = 85000 },
  { id = "teh", name = "Teh Melati 100 g", about = "Dari Slawi", price = 32500 },
  { id = "gelas", name = "Gelas keramik", about = "Buatan tangan, 250 ml", price = 120000 },
}
local QUANTITY_MAX = 20

---- what the shop remembers; any database will do ----

local function recall(scope, key)
  local row = store.get("kv_get", scope, key)
  return row and json.decode(row.value), row and row.version
end

local function remember(scope, key, value, version)
  return store.commit { { "kv_put", scope = scope, key = key, value = json.encode(value), version = version } }
end

-- Changes an order as it stands; false: it is not there, or others were faster each time.
local function change_order(id, change)
  for _ = 1, 10 do
    local order, version = recall(ORDERS, id)
    if not order then return false end
    change(order)
    if remember(ORDERS, id, order, version) then return true end
  end
  return false
end

---- the merchant API ----

local function ask(method, path, body)
  local call = method == "GET" and http.get or http.post
  local answer, why = call { url = API .. path, basic = { KEY, "" }, json = body, timeout = "30s" }
  if not answer then return nil, why end
  local said = answer:json()
  if answer.status >= 300 then return nil, type(said) == "table" and said.detail or "HTTP " .. answer.status end
  return said
end

-- One endpoint, made when the first order is, and again when the shop moved to another address.
local function webhook_secret(base)
  local kept = recall(SETTINGS, "webhook")
  if kept and kept.base == base then return kept.secret end
  local endpoint, why = ask("POST", "/v1/webhook_endpoints", { url = base .. "/shop/webhooks",
    enabled_types = json.array { "payment.succeeded", "payment.failed", "payment.expired", "payment.cancelled" } })
  if not endpoint then return nil, why end
  remember(SETTINGS, "webhook", { base = base, secret = endpoint.secret })
  return endpoint.secret
end

---- webhooks: Standard Webhooks, as its specification says it is verified ----

-- Your shop also refuses a timestamp that is five minutes off, so that nobody sends an old one again. This
-- one cannot: it lives in a simulated engine, whose clock is moved. What it hears twice changes nothing.

local function verified(req, secret)
  local id, at, signatures = req.headers["webhook-id"], req.headers["webhook-timestamp"], req.headers["webhook-signature"]
  if not (id and at and signatures and secret) then return false end
  local key = crypto.base64_decode((secret:gsub("^whsec_", "")))
  local right = "v1," .. crypto.hmac("sha256", key, id .. "." .. at .. "." .. req.body, "base64")
  for one in signatures:gmatch "%S+" do
    if crypto.equal(one, right) then return true end
  end
  return false
end

local LASTS = { success = true, failed = true, expired = true, cancelled = true }

local function hear(req)
  local settings = recall(SETTINGS, "webhook")
  if not verified(req, settings and settings.secret) then return 401, "" end
  local event = json.decode(req.body)
  local payment = type(event) == "table" and event.data or {}
  local id = payment.order_id
  if type(id) ~= "string" or not id:find "^WC%-" then return 204, "" end -- another shop's of this merchant: not for us
  if not LASTS[payment.status] then return 204, "" end
  local kept = change_order(id, function(order)
    if order.heard ~= "success" then order.heard = payment.status end -- paid stays paid
  end)
  return kept and 204 or 503, "" -- an order that we do not know, or could not write: tell us again
end

---- the basket: a cookie such as "kopi.2-teh.1" ----

local function basket_of(req)
  local basket, total, count = {}, 0, 0
  local text = form.cookies(req.headers.cookie or "").basket or ""
  for id, quantity in text:sub(1, 200):gmatch "(%a+)%.(%d+)" do basket[id] = math.min(QUANTITY_MAX, math.tointeger(tonumber(quantity)) or 0) end
  for _, one in ipairs(GOODS) do
    local quantity = basket[one.id] or 0
    total, count = total + quantity * one.price, count + quantity
  end
  return basket, total, count
end

local function cookie(basket)
  local parts = {}
  for _, one in ipairs(GOODS) do
    if (basket[one.id] or 0) > 0 then parts[#parts + 1] = one.id .. "." .. basket[one.id] end
  end
  return "basket=" .. table.concat(parts, "-") .. "; Path=/shop; SameSite=Lax; HttpOnly"
end

---- pages ----

local PAGE = html.template [[
<!doctype html><html lang="id"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>{title} - Warung Contoh</title>
<link rel="icon" href="data:,"><link rel="stylesheet" href="/pay/assets/{css}">{refresh}</head><body><div class="wrap"><header class="top"><div class="shop">
<span class="mark" aria-hidden="true">W</span><span>Warung Contoh</span></div></header><main class="only">{body}</main>
<footer class="foot">Toko contoh untuk mencoba Luwak: tidak ada barang dan tidak ada uang sungguhan.</footer></div></body></html>]]
local SHOP = html.template [[
<section class="card"><h1>Keranjang</h1><ul class="ways">{rows}</ul></section>
<section class="card"><div class="sum"><div><p class="label">Total</p><p class="amount">{total}</p></div></div>
<form class="fine" method="post" action="/shop/pay"><button class="btn"{off}>Bayar</button></form></section>{note}]]
local ROW = html.template [[
<li class="val"><div><b>{name}</b><p class="label">{about} &middot; {price}</p></div><form class="lang" method="post" action="/shop/basket">
<input type="hidden" name="id" value="{id}"><button class="copy" name="change" value="-1" aria-label="Kurangi {name}">&minus;</button>
<b class="copy" aria-label="jumlah {name}">{quantity}</b><button class="copy" name="change" value="1" aria-label="Tambah {name}">+</button></form></li>]]
local NOTE = html.template [[<p class="note bad" role="alert">{what}</p>]]
local ORDER = html.template [[
<section class="card end"><div class="big {kind}" aria-hidden="true">{sign}</div><h1>{title}</h1><p>{hint}</p><dl><dt>Pesanan</dt><dd>{id}</dd>
<dt>Jumlah</dt><dd>{total}</dd></dl>{links}</section>]]
local LINK = html.template [[<a class="btn {kind}" href="{url}">{label}</a>]]
local REFRESH = html.template [[<meta http-equiv="refresh" content="3">]] {}
local OFF = html.template [[ disabled]] {}

local HEADERS = {
  ["Content-Type"] = "text/html; charset=utf-8", ["Cache-Control"] = "no-store", ["X-Content-Type-Options"] = "nosniff",
  ["Content-Security-Policy"] = "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
}

local function rupiah(n) return "Rp" .. tostring(n):reverse():gsub("(%d%d%d)", "%1."):reverse():gsub("^%.", "") end

local function page(status, title, body, refresh)
  return status, tostring(PAGE { title = title, css = assets.css.name, body = body, refresh = refresh or false }), HEADERS
end

local function shop(req, status, note)
  local basket, total, count = basket_of(req)
  local rows = {}
  for i, one in ipairs(GOODS) do
    rows[i] = ROW { id = one.id, name = one.name, about = one.about, price = rupiah(one.price), quantity = basket[one.id] or 0 }
  end
  return page(status or 200, "Keranjang", SHOP { rows = rows, total = rupiah(total), off = count == 0 and OFF or false, note = note and NOTE { what = note } or false })
end

local function change(req)
  local given, basket = req:form() or {}, basket_of(req)
  local step = given.change == "1" and 1 or given.change == "-1" and -1 or 0
  for _, one in ipairs(GOODS) do
    if one.id == given.id then basket[one.id] = math.max(0, math.min(QUANTITY_MAX, (basket[one.id] or 0) + step)) end
  end
  return 303, "", { Location = "/shop", ["Set-Cookie"] = cookie(basket) }
end

local function pay(req)
  local basket, total, count = basket_of(req)
  if count == 0 then return 303, "", { Location = "/shop" } end
  local base = "http://" .. (req.headers.host or "127.0.0.1")
  local secret, why = webhook_secret(base)
  if not secret then return shop(req, 502, "Pembayaran belum bisa dibuat: " .. why) end
  local id, items = "WC-" .. crypto.random(5):upper(), json.array {}
  for _, one in ipairs(GOODS) do
    if (basket[one.id] or 0) > 0 then items[#items + 1] = { id = one.id, name = one.name, price = one.price, quantity = basket[one.id] } end
  end
  -- Kept first: whatever is made of it, and whether or not we hear the answer, the webhook finds it.
  if not remember(ORDERS, id, { total = total }) then return shop(req, 503, "Pesanan belum bisa disimpan.") end
  local payment
  payment, why = ask("POST", "/v1/payments", { order_id = id, amount = total, items = items,
    return_urls = { success = base .. "/shop/order", failure = base .. "/shop/order" } })
  if not payment then return shop(req, 502, "Pembayaran belum bisa dibuat: " .. why) end
  change_order(id, function(order) order.checkout = payment.checkout_url end)
  return 303, "", { Location = payment.checkout_url, ["Set-Cookie"] = cookie {} }
end

-- Where the checkout sends the payer back to: it says what the webhook said, not what the browser says.
local function order(req)
  local id = (req:args() or {}).order_id or ""
  local kept = recall(ORDERS, id)
  if not kept then return page(404, "Pesanan", NOTE { what = "Pesanan ini tidak ada." }) end
  local good, over = kept.heard == "success", kept.heard ~= nil
  return page(200, "Pesanan " .. id, ORDER {
    kind = good and "good" or "bad", sign = good and "✓" or over and "!" or "…", id = id, total = rupiah(kept.total),
    title = good and "Pesanan dibayar" or over and "Pesanan tidak dibayar" or "Menunggu kabar pembayaran",
    hint = good and "Webhook dengan tanda tangan yang benar telah diterima." or over and "Keadaan: " .. kept.heard or "Halaman ini memuat ulang sendiri.",
    links = { not over and kept.checkout and LINK { kind = "", url = kept.checkout, label = "Ke pembayaran" } or false, LINK { kind = "plain", url = "/shop", label = "Belanja lagi" } },
  }, not over and REFRESH)
end

return {
  api = 1,
  title = "Example shop",
  routes = {
    ["GET /shop"] = { auth = "simulated", about = "a basket", run = function(req) return shop(req) end },
    ["GET /shop/"] = { auth = "simulated", run = function() return 303, "", { Location = "/shop" } end },
    ["POST /shop/basket"] = { auth = "simulated", about = "more or less of one thing", run = change },
    ["POST /shop/pay"] = { auth = "simulated", about = "to the checkout", timeout = "60s", run = pay },
    ["GET /shop/order"] = { auth = "simulated", about = "what became of an order", run = order },
    ["POST /shop/webhooks"] = { auth = "simulated", about = "what Luwak tells of", run = hear },
  },
}
