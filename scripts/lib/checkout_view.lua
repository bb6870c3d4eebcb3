-- scripts/lib/checkout_view.lua: what the checkout's pages look like: everything is said by the payment's
-- own `instructions`, so a channel that shows what the contract knows needs no change here.
local html = require "html"
local text = require "checkout_text"
local assets = require "checkout_assets"
local return_url = require "return_url"

local view = {}

---- small parts ----

local PAGE = html.template [[
<!doctype html><html lang="{lang}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>{title}</title><meta name="robots" content="noindex"><meta name="theme-color" content="#0a5bd3">
<link rel="icon" href="data:,"><link rel="stylesheet" href="{base}/pay/assets/{css}"><script src="{base}/pay/assets/{js}" defer></script>{refresh}</head>
<body><a class="skip" href="#pay">{skip}</a><div class="wrap"><header class="top"><div class="shop"><span class="mark" aria-hidden="true">{letter}</span>
<span>{name}</span></div><nav aria-label="{language}"><ul class="lang">{languages}</ul></nav></header>{main}
<footer class="foot"><svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true"><path fill="currentColor" d="M4 7V5a4 4 0 0 1 8 0v2h.5A1.5 1.5 0 0 1
14 8.5v5A1.5 1.5 0 0 1 12.5 15h-9A1.5 1.5 0 0 1 2 13.5v-5A1.5 1.5 0 0 1 3.5 7zm1.5 0h5V5a2.5 2.5 0 0 0-5 0z"/></svg> {secure}</footer></div><div class="live" id="live" role="status" aria-live="polite"></div></body></html>]]
local REFRESH = html.template [[<noscript><meta http-equiv="refresh" content="{seconds}"></noscript>]]
local LANGUAGE = html.template [[<li><a href="?lang={code}" hreflang="{code}" lang="{code}"{current}>{label}</a></li>]]
local CURRENT = html.template [[ aria-current="true"]] {}
local MAIN = html.template [[
<main id="pay" data-generation="{generation}" data-over="{over}" data-events="{events}" data-say="{say}">{banner}{body}</main>]]
local COLUMNS = html.template [[<div class="cols"><div class="side">{side}</div><div>{body}</div></div>]]
local ONLY = html.template [[<div class="only">{body}</div>]]
local BANNER = html.template [[<aside class="note warn" aria-label="{what}"><span>{what}</span>{pay}</aside>]]
local SIMULATE = html.template [[<form method="post" action="{path}/simulate"><button class="copy">{label}</button></form>]]
local NOTE = html.template [[<p class="note {kind}" role="alert">{what}</p>]]

local SUM = html.template [[
<section class="card" aria-label="{total}"><div class="sum"><div><p class="label">{total}</p><p class="amount">{amount}</p></div>{clock}
<div class="fine"><span>{order} <b>{order_id}</b></span>{fee}{before}</div></div></section>]]
local CLOCK = html.template [[
<div class="clock"><p class="label">{left}</p><span role="timer" aria-live="off" data-left="{seconds}" data-day="{day}">{text}</span></div>]]
local FINE = html.template [[<span>{label} <b>{value}</b></span>]]
local VALUE = html.template [[
<div class="val"><div><p class="label">{label}</p><p class="num">{shown}</p></div><button type="button" class="copy" hidden data-copy="{value}"
data-label="{copy}" data-done="{copied}"><span>{copy}</span><span class="live"> {label}</span></button></div>]]
local PLAIN = html.template [[<div class="val"><div><p class="label">{label}</p><p class="num">{shown}</p></div></div>]]
local HEAD = html.template [[<div class="head"><span class="badge" aria-hidden="true">{badge}</span><h1>{title}</h1></div>]]
local STATE = html.template [[<div class="state"><span class="dot"></span><div><b>{what}</b><small>{hint}</small></div></div>]]
local STEPS = html.template [[<section class="steps"><h2>{how}</h2>{groups}</section>]]
local GROUP = html.template [[<details{open}><summary>{title}</summary><ol>{steps}</ol></details>]]
local OPEN = html.template [[ open]] {}
local STEP = html.template [[<li>{what}</li>]]
local STRONG = html.template [[<b>{what}</b>]]
local BUTTON = html.template [[<a class="btn {kind}" href="{url}"{extra}>{label}</a>]]
local DOWNLOAD = html.template [[ download="{file}"]]
local CARD = html.template [[<section class="card">{body}</section>]]
local PARA = html.template [[<p class="label">{what}</p>]]
local STACK = html.template [[<div class="stack">{body}</div>]]
local QR = html.template [[<figure class="qr"><img src="{src}" width="264" height="264" alt="{alt}"></figure>]]

-- "Rp1.234.567": how both languages write rupiah here.
function view.rupiah(n)
  local digits, parts = tostring(n), {}
  local first = (#digits - 1) % 3 + 1
  parts[1] = digits:sub(1, first)
  for i = first + 1, #digits, 3 do parts[#parts + 1] = digits:sub(i, i + 2) end
  return "Rp" .. table.concat(parts, ".")
end
local rupiah = view.rupiah

-- In fours, so that a person can compare; the copy button gives it whole.
local function grouped(number)
  if #number < 9 or number:find "%D" then return number end
  local parts = {}
  for i = 1, #number, 4 do parts[#parts + 1] = number:sub(i, i + 3) end
  return table.concat(parts, " ")
end

local function moment(ms, words)
  local p = time.parts(ms, "WIB")
  return ("%d %s %d, %02d:%02d WIB"):format(p.day, words.months[p.month], p.year, p.hour, p.minute)
end

local function value(c, label, number, shown)
  return VALUE { label = label, shown = shown or grouped(number), value = number, copy = c.words.copy, copied = c.words.copied }
end

-- What a bank, wallet or shop is called; a bank's own page for transfers is not called as the bank is.
local function brand_of(method, bank)
  return method ~= "bank_transfer" and bank ~= "self" and text.banks[bank or ""] or nil
end

local function plain(name) return name and (name:gsub("%s*%(.*", "", 1)) end -- whoever carries it is not the payer's

-- One that we have no name for is called as its channel is; qris, cards and our own numbers by method.
local function title_of(c, method, bank, name)
  local known = brand_of(method, bank)
  if known then return method == "virtual_account" and known .. " " .. c.words.virtual_account or known end
  local by_channel = (bank and bank ~= "self") or method == "ewallet" or method == "retail" or method == "paylater"
  return by_channel and plain(name) or c.words[method] or plain(name) or method
end

-- A method's word within a sentence, where a name stays as it is.
local function within(c, method, title)
  return title == c.words[method] and title:find "^%u%l" and title:sub(1, 1):lower() .. title:sub(2) or title
end

local function badge_of(c, method, bank, name)
  local known = brand_of(method, bank)
  local by_method = { qris = "QRIS", virtual_account = "VA", card = c.words.badge_card, bank_transfer = "BANK", retail = c.words.badge_code,
    paylater = "LATER" }
  return known or by_method[method] or (plain(name) or method):sub(1, 16)
end

---- the order: what is to be paid, and until when ----

local function left_text(seconds, words)
  local days = seconds // 86400
  return (days > 0 and days .. " " .. words.day .. " " or "") .. ("%02d:%02d:%02d"):format(seconds % 86400 // 3600, seconds % 3600 // 60, seconds % 60)
end

local function sum(c)
  local p, words = c.payment, c.words
  local open = c.expires_ms and c.expires_ms > 0 and (p.status == "pending" or p.status == "processing")
  local seconds = open and math.max(0, (c.expires_ms - c.now) // 1000)
  local payer_fee = p.amount_due - p.amount
  return SUM {
    total = words.total, amount = rupiah(p.amount_due), order = words.order, order_id = p.order_id,
    clock = seconds and CLOCK { left = words.left, seconds = seconds, day = words.day, text = left_text(seconds, words) } or false,
    fee = payer_fee > 0 and FINE { label = words.plus, value = rupiah(payer_fee) } or false,
    before = seconds and FINE { label = words.before, value = moment(c.expires_ms, words) } or false,
  }
end

---- how it is paid ----

-- A list of steps is the same each time but for the number: made once, with a place for it.
local MADE = {}

local function made_of(groups, how)
  local list = {}
  for i, group in ipairs(groups) do
    local items = {}
    for k = 2, #group do
      local before, after = group[k]:match "^(.-){1}(.*)$"
      items[#items + 1] = STEP { what = before and { before, STRONG { what = "{number}" }, after } or group[k] }
    end
    list[i] = GROUP { title = group[1], steps = items, open = i == 1 and OPEN or false }
  end
  return html.template(tostring(STEPS { how = how, groups = list }))
end

local function steps(c, kind, number)
  local groups = text.steps_for(kind, c.bank, c.lang)
  if #groups == 0 then return false end
  MADE[groups] = MADE[groups] or made_of(groups, c.words.how)
  return MADE[groups] { number = grouped(number or "") }
end

local function button(label, url, kind, extra) return BUTTON { label = label, url = url, kind = kind or "", extra = extra or false } end

local FORM = html.template [[<form method="post" action="{url}">{fields}<button class="btn">{label}</button></form>]]
local HIDDEN = html.template [[<input type="hidden" name="{name}" value="{value}">]]

local SHOW = {}

function SHOW.va_number(c, i)
  return { value(c, c.words.va_number, i.va_number), value(c, c.words.amount, tostring(c.payment.amount_due), rupiah(c.payment.amount_due)),
    c.waiting, steps(c, "va_number", i.va_number) }
end

function SHOW.bill(c, i)
  return { value(c, c.words.biller_code, i.biller_code), value(c, c.words.bill_key, i.bill_key),
    value(c, c.words.amount, tostring(c.payment.amount_due), rupiah(c.payment.amount_due)), c.waiting, steps(c, "bill", i.bill_key) }
end

function SHOW.retail(c, i)
  local outlet = i.outlet and (text.banks[i.outlet] or i.outlet)
  return { outlet and outlet ~= c.way and PLAIN { label = c.words.outlet, shown = outlet } or false,
    value(c, c.words.payment_code, i.payment_code), PLAIN { label = c.words.amount, shown = rupiah(c.payment.amount_due) }, c.waiting,
    steps(c, "retail", i.payment_code) }
end

function SHOW.qr(c, i)
  if type(i.qr_string) ~= "string" then -- the provider's own picture, on its page: we have nothing to draw
    local picture = html.url(i.qr_image_url)
    return { STACK { body = { picture and button(c.words.download, picture) or false } }, c.waiting, steps(c, "qr") }
  end
  return { STACK { body = { QR { src = c.path .. "/qr.svg", alt = c.words.qr_alt },
    button(c.words.download, c.path .. "/qr.png", "plain", DOWNLOAD { file = "qris-" .. c.payment.order_id:gsub("[^%w-]", "-") .. ".png" }) } },
    c.waiting, steps(c, "qr") }
end

function SHOW.redirect(c, i)
  local web, app = html.url(i.redirect_url), html.url(i.deeplink_url, true)
  local links = {}
  if app and app ~= web then links[1] = button(c.words.open_app .. " " .. c.way, app) end
  if web then links[#links + 1] = button(c.words.go_on, web, #links > 0 and "plain" or "") end
  return { STACK { body = { PARA { what = c.words.redirect_hint }, links } }, c.waiting }
end

function SHOW.form_post(c, i)
  local fields = {}
  for name, one in sorted(type(i.fields) == "table" and i.fields or {}) do fields[#fields + 1] = HIDDEN { name = name, value = tostring(one) } end
  local url = html.url(i.url)
  return { STACK { body = { PARA { what = c.words.redirect_hint }, url and FORM { url = url, fields = fields, label = c.words.go_on } or false } }, c.waiting }
end

function SHOW.transfer(c, i)
  local due = i.amount_to_transfer or c.payment.amount_due
  return { i.bank and PLAIN { label = c.words.bank, shown = text.banks[i.bank] or i.bank } or false, value(c, c.words.account_number, i.account_number),
    i.account_holder and PLAIN { label = c.words.account_holder, shown = i.account_holder } or false,
    value(c, c.words.transfer_amount, tostring(due), rupiah(due)), PARA { what = c.words.exact }, c.waiting, steps(c, "transfer", i.account_number) }
end

function SHOW.push(c, i) return { PARA { what = type(i.message) == "string" and i.message or c.words.push_hint }, c.waiting } end

-- Where a form of the instructions goes, for the page's policy; nil: nowhere else.
function view.form_origin(instructions)
  local url = type(instructions) == "table" and instructions.type == "form_post" and html.url(instructions.url)
  return url and url:match "^(https?://[^/?#]+)" or nil
end

local AGAIN = html.template [[<noscript><p class="stack"><a class="btn plain" href="">{label}</a></p></noscript>]]

local function instructions(c)
  local p, words = c.payment, c.words
  local i = type(p.instructions) == "table" and p.instructions or {}
  c.bank = i.bank or (p.bank ~= json.null and p.bank) or nil
  c.way = title_of(c, p.method, c.bank, c.title)
  c.waiting = { STATE { what = words.waiting, hint = words.waiting_hint }, AGAIN { label = words.refresh } }
  local show = SHOW[i.type]
  local heading = (i.type == "retail" and words.pay_at or words.pay_with) .. " " .. within(c, p.method, c.way)
  return {
    c.notice, CARD { body = { HEAD { badge = badge_of(c, p.method, c.bank, c.title), title = heading }, show and show(c, i) or c.waiting } },
    c.changeable and button(words.other, c.path .. "/ways", "plain") or false,
  }
end

---- the ways to pay ----

local GROUP_HEAD = html.template [[<h3>{title}</h3><ul class="ways">{ways}</ul>]]
local ROW = html.template [[<span class="badge" aria-hidden="true">{badge}</span><span class="what">{title}<small>{hint}</small></span>
<span class="go" aria-hidden="true">&#8250;</span>]]
local WAY = html.template [[<li><form method="post" action="{action}">{hidden}<button class="way">{row}</button></form></li>]]
local WAY_ASKS = html.template [[
<li><details{open}><summary class="way">{row}</summary><form class="fields" method="post" action="{action}">{hidden}{fields}<button class="btn">{label}</button></form>
</details></li>]]
local FIELD = html.template [[
<div><label for="{id}">{label}</label><input id="{id}" name="option.{name}" type="{type}" inputmode="{mode}" autocomplete="{auto}" value="{value}"
placeholder="{hint}" maxlength="120"{required}></div>]]
local REQUIRED = html.template [[ required]] {}
local KINDS = { phone = { "tel", "tel", "tel" }, email = { "email", "email", "email" }, name = { "text", "text", "name" } }
local ORDER = { "qris", "virtual_account", "ewallet", "retail", "card", "paylater", "bank_transfer" }

local function fields_of(c, way)
  local out = {}
  for name, option in sorted(way.options) do
    local kind = KINDS[name] or { "text", option.type == "integer" and "numeric" or "text", "off" }
    out[#out + 1] = FIELD {
      id = way.key .. "-" .. name, name = name, label = c.words[name] or option.description or name, type = kind[1], mode = kind[2], auto = kind[3],
      hint = name == "phone" and c.words.phone_hint or "", value = c.chosen == way.key and c.given[name] or "", required = option.required and REQUIRED or false,
    }
  end
  return out
end

local WAY_OFF = html.template [[<li><div class="way off">{row}</div></li>]]

-- Fee and limits, shortly. A limit that nobody reaches is none.
local function hint_of(c, way)
  local words, parts = c.words, {}
  if way.off then
    if c.payment.amount < way.min then return words.from .. " " .. rupiah(way.min) end
    return words.up_to .. "\u{a0}" .. rupiah(way.max)
  end
  if way.fee then parts[1] = way.fee > 0 and words.fee .. " " .. rupiah(way.fee) or words.no_fee end
  if way.max and way.max < 900000000 then parts[#parts + 1] = words.up_to .. "\u{a0}" .. rupiah(way.max) end
  return table.concat(parts, " · ")
end

local function way_row(c, way)
  local words = c.words
  local title = way.method == "qris" and words.qris_hint or brand_of(way.method, way.bank) or title_of(c, way.method, way.bank, way.title)
  local row = ROW { badge = badge_of(c, way.method, way.bank, way.title), title = title, hint = hint_of(c, way) }
  if way.off then return WAY_OFF { row = row } end
  local hidden = { HIDDEN { name = "way", value = way.key } }
  if next(way.options) == nil then return WAY { action = c.path, hidden = hidden, row = row } end
  return WAY_ASKS { action = c.path, hidden = hidden, row = row, fields = fields_of(c, way), label = words.continue, open = c.chosen == way.key and OPEN or false }
end

function view.ways(c, ways)
  local by, groups = {}, {}
  for _, way in ipairs(ways) do
    by[way.method] = by[way.method] or {}
    table.insert(by[way.method], way_row(c, way))
  end
  for _, method in ipairs(ORDER) do
    if by[method] then groups[#groups + 1] = GROUP_HEAD { title = c.words[method], ways = by[method] } end
  end
  if #groups == 0 then groups[1] = PARA { what = c.words.no_way } end
  local attempted = #c.payment.attempts > 0 and type(c.payment.instructions) == "table"
  return { c.notice, CARD { body = { html.template [[<h1>{what}</h1>]] { what = c.words.choose }, groups } },
    attempted and button(c.words.back, c.path, "plain") or false }
end

---- the ends ----

local END = html.template [[
<section class="card end"><div class="big {kind}" aria-hidden="true">{sign}</div><h1>{title}</h1><p>{hint}</p><dl>{facts}</dl>{back}</section>]]
local FACT = html.template [[<dt>{label}</dt><dd>{value}</dd>]]
local FACT_ID = html.template [[<dt>{label}</dt><dd class="id">{value}</dd>]]
local FAILURES = { INSUFFICIENT_BALANCE = "insufficient", CARD_DECLINED = "declined", FRAUD_DETECTED = "fraud" }

local function shop_url(c, name)
  local url = html.url(type(c.return_urls) == "table" and c.return_urls[name] or nil)
  return url and return_url(url, c.payment.order_id)
end

local function ended(c)
  local p, words, good = c.payment, c.words, c.payment.status == "success"
  local back = shop_url(c, good and "success" or "failure")
  local why = p.status == "failed" and type(p.failure) == "table" and FAILURES[p.failure.code]
  local facts = { FACT { label = words.order, value = p.order_id }, FACT { label = words.amount, value = rupiah(good and p.amount_paid or p.amount_due) } }
  if good and p.paid_at ~= json.null then facts[3] = FACT { label = words.paid_at, value = moment(time.parse(p.paid_at), words) } end
  facts[#facts + 1] = FACT_ID { label = words.reference, value = p.id:sub(5) }
  return END { kind = good and "good" or "bad", sign = good and "✓" or "!", title = words[p.status],
    hint = { why and words[why] .. " " or "", words[p.status .. "_hint"] }, facts = facts, back = back and button(words.return_shop, back) or false }
end

local function quiet(c, title, hint)
  return CARD { body = { html.template [[<h1>{what}</h1>]] { what = title }, STATE { what = hint, hint = "" }, AGAIN { label = c.words.refresh } } }
end

---- the whole ----

local OVER = { success = true, failed = true, expired = true, cancelled = true }

-- c: the checkout as core.checkout.get() gives it, with lang, words, now, path and perhaps notice;
-- `ways`: what may be chosen, where that is what is shown.
function view.page(c, ways)
  local p, words = c.payment, c.words
  local over, asks, body, say = OVER[p.status] or false, ways ~= nil
  c.notice = c.notice and NOTE { what = c.notice, kind = "bad" } or false
  if over then
    body, say = ended(c), words[p.status]
  elseif ways then
    body, say = view.ways(c, ways), words.choose
  elseif c.held then
    body, say = quiet(c, words.held, words.held_hint), words.held
  elseif type(p.instructions) ~= "table" and p.status == "processing" then
    body, say = quiet(c, words.preparing, words.preparing_hint), words.preparing
  else
    body, say = instructions(c), words.waiting
  end
  if not over and p.amount_paid > 0 then
    body = { NOTE { kind = "warn", what = { words.received, ": ", rupiah(p.amount_paid), ". ", words.remaining, ": ",
      rupiah(math.max(0, p.amount_due - p.amount_paid)), "." } }, body }
  end
  local waits = not over and not asks and type(p.instructions) == "table"
  return view.document(c, MAIN {
    banner = c.simulated and BANNER { what = words.simulated, pay = waits and SIMULATE { path = c.path, label = words.simulate } or false } or false,
    generation = c.generation, over = over and "1" or "", events = c.quiet and "" or c.path .. "/events", say = say,
    body = over and ONLY { body = body } or COLUMNS { side = sum(c), body = body },
  }, not over and not asks)
end

-- What is the same on every page of a language is put in once.
local FRAMES = {}
for _, lang in ipairs(text.languages) do
  local words, languages = text[lang], {}
  for i, code in ipairs(text.languages) do
    languages[i] = LANGUAGE { code = code, label = code:upper(), current = code == lang and CURRENT or false }
  end
  FRAMES[lang] = html.template(tostring(PAGE { lang = lang, css = assets.css.name, js = assets.js.name, skip = words.skip, language = words.language,
    languages = languages, secure = words.secure, base = "{base}", title = "{title}", letter = "{letter}", name = "{name}", main = "{main}",
    refresh = "{refresh}" }))
end

function view.document(c, main, refreshes)
  local words, named = c.words, c.name and c.name ~= ""
  local name = named and c.name or words.title
  return tostring(FRAMES[c.lang] { base = c.base or "", title = named and words.to .. " " .. name or name, letter = name:match(utf8.charpattern):upper(),
    name = name, main = main, refresh = refreshes and REFRESH { seconds = 15 } or false })
end

local LOST = html.template [[<main id="pay"><section class="card end"><h1>{title}</h1><p>{hint}</p></section></main>]]

function view.lost(lang)
  local words = text[lang]
  return view.document({ lang = lang, words = words, name = "" }, ONLY { body = LOST { title = words.not_found, hint = words.not_found_hint } }, false)
end

return view
