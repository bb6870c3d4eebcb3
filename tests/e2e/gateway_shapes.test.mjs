// The architecture document's own doors for QR codes, wallets and card pages: its requests, its answers, and
// behind them the same payments as those of /v1.
import { test } from 'node:test'
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Server, root } from './server.mjs'
import { changed, countable, rows } from './rows.mjs'

const basic = key => ({ authorization: 'Basic ' + Buffer.from(key + ':').toString('base64') })
const KEY = basic('sk_test_demo')
const QRIS = '/payment-gateway/qris/generate', WALLET = '/payment-gateway/ewallet/create', CARD = '/payment-gateway/card/create-token'

// The document's own examples.
const qris = order_id => ({ amount: 150000, currency: 'IDR', order_id, merchant_id: 'M12345', merchant_name: 'Aybi Supermarket', description: `Payment for order #${order_id}` })
const wallet = (order_id, more = {}) => ({ amount: 150000, currency: 'IDR', order_id, payment_method: 'gopay',
  redirect_urls: { success: 'https://myapp.com/payment/success', failure: 'https://myapp.com/payment/failed' },
  customer: { name: 'Budi Santoso', email: 'budi@example.com', phone: '081234567890' }, ...more })
const card = (order_id, more = {}) => ({ amount: 150000, currency: 'IDR', order_id, customer: { name: 'Budi Santoso', email: 'budi@example.com' },
  payment_page: { display_type: 'redirect', return_url: 'https://myapp.com/payment/callback' }, ...more })

const MOMENT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+07:00$/
const minutes = (from, to) => (Date.parse(to) - from) / 60000

const ask = (s, path, body, headers = {}) => s.post(path, body, { headers: { ...KEY, ...headers } })
async function made (s, path, body, headers) {
  const r = await ask(s, path, body, headers)
  assert.equal(r.status, 201, r.body)
  assert.match(r.headers['content-type'], /^application\/json/)
  return r.json()
}
const read = async (s, order) => {
  const found = (await s.get('/v1/payments?order_id=' + order, { headers: KEY })).json().data
  assert.equal(found.length, 1, `payments of ${order}`)
  return found[0]
}
async function paid (s, order, provider) {
  assert.equal((await read(s, order)).status, 'pending')
  const r = await s.post(`/sandbox/${provider}/_control`, { pay: order })
  assert.equal(r.status, 200, r.body)
  const p = await read(s, order)
  assert.deepEqual([p.status, p.amount_paid], ['success', 150000])
  return p
}
const all = () => root('channels', 'rules', 'scripts')

test('a QR code: generated, drawn, paid', async () => {
  const s = await Server.start({ dir: all() })
  const now = Date.now()
  const a = await made(s, QRIS, qris('q-1'))
  assert.deepEqual(Object.keys(a).sort(), ['expires_at', 'merchant_id', 'qr_code_image', 'qris_string', 'status', 'transaction_id'])
  assert.equal(a.status, 'success')
  assert.equal(a.merchant_id, 'M12345', 'said back')
  assert.match(a.qris_string, /^000201.*6304[0-9A-F]{4}$/)
  assert.match(a.expires_at, MOMENT)
  assert.ok(Math.abs(minutes(now, a.expires_at) - 15) < 2, a.expires_at)
  const p = await read(s, 'q-1')
  assert.deepEqual([p.id, p.method, p.channel, p.amount, p.currency, p.description], [a.transaction_id, 'qris', 'midtrans_qris', 150000, 'IDR', 'Payment for order #q-1'])
  assert.equal(p.instructions.qr_string, a.qris_string)
  const picture = await fetch(a.qr_code_image)
  assert.equal(picture.status, 200)
  assert.equal(picture.headers.get('content-type'), 'image/png')
  await paid(s, 'q-1', 'midtrans')
  const { merchant_id: _, ...nobody } = qris('q-2')
  assert.ok(!('merchant_id' in await made(s, QRIS, nobody)), 'nothing to say back')
  await s.stop()
})

test('a wallet: created, paid in its app, or by a phone that rings', async () => {
  const s = await Server.start({ dir: all() })
  const now = Date.now()
  const a = await made(s, WALLET, wallet('w-1'))
  assert.deepEqual(Object.keys(a).sort(), ['actions', 'amount', 'created_at', 'currency', 'expires_at', 'id', 'order_id', 'payment_method', 'status'])
  assert.deepEqual([a.status, a.amount, a.currency, a.order_id, a.payment_method], ['PENDING', 150000, 'IDR', 'w-1', 'gopay'])
  assert.match(a.created_at, MOMENT)
  assert.match(a.expires_at, MOMENT)
  assert.ok(Math.abs(minutes(now, a.expires_at) - 15) < 2, a.expires_at)
  const p = await read(s, 'w-1')
  assert.deepEqual([p.id, p.method, p.bank, p.channel], [a.id, 'ewallet', 'gopay', 'midtrans_gopay'])
  assert.deepEqual(a.actions, { redirect_url: p.instructions.redirect_url, deeplink_url: p.instructions.deeplink_url })
  assert.deepEqual((await s.get('/v1/payments/' + a.id, { headers: KEY })).json().customer, wallet('').customer)
  await paid(s, 'w-1', 'midtrans')
  const again = await ask(s, WALLET, wallet('w-1'))
  assert.equal(again.status, 200)
  assert.deepEqual([again.json().id, again.json().status, again.json().actions], [a.id, 'SUCCESS', { redirect_url: null, deeplink_url: null }])

  for (const [payment_method, provider] of [['dana', 'xendit'], ['ShopeePay', 'xendit'], ['linkaja', 'xendit']]) {
    const b = await made(s, WALLET, wallet(`w-${payment_method}`, { payment_method }))
    assert.equal(b.payment_method, payment_method.toLowerCase())
    assert.match(b.actions.redirect_url, /^https?:\/\//)
    assert.equal((await paid(s, `w-${payment_method}`, provider)).channel, `${provider}_${b.payment_method}`)
  }
  const ovo = await made(s, WALLET, wallet('w-ovo', { payment_method: 'ovo' }))
  assert.equal(ovo.status, 'PENDING')
  assert.match(ovo.actions.redirect_url, new RegExp(`^${s.base}/pay/`), 'our page: OVO has none')
  assert.equal(ovo.actions.deeplink_url, null)
  await s.post('/sandbox/xendit/_control', { pay: 'w-ovo' })
  assert.equal((await read(s, 'w-ovo')).status, 'success')
  const jenius = await made(s, WALLET, wallet('w-jenius', { payment_method: 'jenius', cashtag: '$budi' }))
  assert.equal(jenius.payment_method, 'jenius')
  await s.stop()
})

test('the payer comes back from the wallet with his order', async () => {
  const dir = all()
  writeFileSync(join(dir, 'scripts/sandbox/xendit.lua'), `return { api = 1, provider = "xendit", routes = {
    ["POST /payment_requests"] = function(_, request) log.info("asked", { body = request.body }) return reply(500, {}) end,
    ["POST /ewallets/charges"] = function(_, request) log.info("asked", { body = request.body }) return reply(500, {}) end } }`)
  const s = await Server.start({ dir })
  const back = { success: 'https://myapp.com/done?shop=1#end', failure: 'https://myapp.com/sorry?order_id=mine' }
  await made(s, WALLET, wallet('b-1&2', { payment_method: 'dana', redirect_urls: back }))
  const asked = s.events('asked').map(l => l.body).join()
  for (const url of ['https://myapp.com/done?shop=1&order_id=b-1%262#end', 'https://myapp.com/sorry?order_id=mine"']) assert.ok(asked.includes(url), asked)
  await s.stop()
})

test('a card page: made, paid, and no number comes near us', async () => {
  const s = await Server.start({ dir: all() })
  const now = Date.now()
  const a = await made(s, CARD, card('c-1'))
  assert.deepEqual(Object.keys(a).sort(), ['amount', 'currency', 'expires_at', 'payment_page_url', 'status', 'token'])
  assert.deepEqual([a.status, a.amount, a.currency], ['ACTIVE', 150000, 'IDR'])
  assert.match(a.expires_at, MOMENT)
  assert.ok(Date.parse(a.expires_at) > now)
  assert.equal(a.payment_page_url, `${s.base}/pay/${a.token}`)
  const p = await read(s, 'c-1')
  assert.deepEqual([p.method, p.channel, p.id], ['card', 'xendit_card', 'pay_' + a.token])
  const page = await (await fetch(a.payment_page_url)).text()
  assert.ok(page.includes(p.instructions.redirect_url.replaceAll('&', '&amp;')), 'it leads to the provider\'s own page')
  assert.ok(!/<input[^>]*(card|cvv)/i.test(page))
  await paid(s, 'c-1', 'xendit')
  const over = await (await fetch(a.payment_page_url)).text()
  assert.ok(over.includes('href="https://myapp.com/payment/callback?order_id=c-1"'), over)
  await made(s, CARD, card('c-2', { payment_page: undefined }))
  await s.stop()
})

test('rules choose the provider', async () => {
  const dir = all()
  writeFileSync(join(dir, 'rules/routing/mine.lua'), `return { api = 1, kind = "routing", priority = 1, match = { method = "qris" },
    route = function() return { "xendit_qris", "midtrans_qris" } end }`)
  const s = await Server.start({ dir })
  const a = await made(s, QRIS, qris('r-1'))
  assert.equal(a.status, 'success')
  assert.equal((await paid(s, 'r-1', 'xendit')).channel, 'xendit_qris')
  // no answer that reads: it is not known, and nothing says that it failed
  await s.post('/sandbox/xendit/_control', { next: 'rubbish', count: 2 })
  const b = await made(s, WALLET, wallet('r-2', { payment_method: 'dana' }))
  assert.equal(b.status, 'PROCESSING')
  assert.match(b.actions.redirect_url, new RegExp(`^${s.base}/pay/`), 'our page goes on when it is known')
  const c = await made(s, QRIS, qris('r-3'))
  assert.deepEqual([c.status, c.qris_string, c.qr_code_image], ['processing', null, null])
  // the provider declines
  await s.post('/sandbox/midtrans/_control', { next: 'refused' })
  const d = await made(s, WALLET, wallet('r-4'))
  assert.equal(d.status, 'FAILED')
  assert.ok(d.code && d.message, JSON.stringify(d))
  assert.deepEqual(d.actions, { redirect_url: null, deeplink_url: null })
  assert.equal((await read(s, 'r-4')).status, 'failed')
  await s.stop()
})

test('where one provider fails another one takes over', async () => {
  const dir = all()
  writeFileSync(join(dir, 'scripts/sandbox/midtrans.lua'), `return { api = 1, provider = "midtrans", routes = {
    ["POST /v2/charge"] = function() return reply(200, { status_code = "505", status_message = "unavailable", id = crypto.uuid() }) end,
    ["GET /v2/:id/status"] = function() return reply(200, { status_code = "404", status_message = "Transaction doesn't exist." }) end } }`)
  const s = await Server.start({ dir })
  const a = await made(s, QRIS, qris('f-1'))
  assert.equal(a.status, 'success')
  const p = await paid(s, 'f-1', 'xendit')
  assert.deepEqual(p.attempts.map(one => one.channel), ['midtrans_qris', 'xendit_qris'])
  assert.equal(p.instructions.qr_string, a.qris_string)
  await s.stop()
})

test('an order is one payment: repeats, twenty at once, a key, another amount', async () => {
  const s = await Server.start({ dir: all(), args: ['--workers', '2'] })
  for (const [path, body, id] of [[QRIS, qris, a => a.transaction_id], [WALLET, wallet, a => a.id], [CARD, card, a => a.token]]) {
    const order = 'o' + path.length
    const many = await Promise.all(Array.from({ length: 20 }, (_, i) => ask(s, i % 2 ? path : path + '/', body(order))))
    assert.deepEqual(many.map(r => r.status).sort(), [...Array(19).fill(200), 201], many.map(r => r.body).join('\n'))
    assert.equal(new Set(many.map(r => r.body)).size, 1, 'all are told the same')
    const more = { unknown: [{ a: 1 }], description: undefined, redirect_urls: { success: 'https://a.example/', other: 1 }, payment_page: { theme: [] },
      customer: { name: 'Budi', first_name: 7, billing_address: { city: null } } }
    const again = await ask(s, path, { ...body(order), ...more })
    assert.deepEqual([again.status, id(again.json())], [200, id(many[0].json())])
    await made(s, path, { ...body(order + 'u'), ...more, customer: [] }) // PHP's empty object
    await made(s, path, { ...body(order + 'v'), ...more })
    const p = await read(s, order)
    assert.equal(p.attempts.length, 1)

    const other = await ask(s, path, { ...body(order), amount: 150001 })
    assert.equal(other.status, 409)
    assert.deepEqual([other.json().code, other.json().param, other.json().transaction_id], ['DUPLICATE_TRANSACTION', 'order_id', p.id])

    const key = { 'idempotency-key': 'k' + order }
    const first = await made(s, path, body(order + 'k'), key)
    const replay = await ask(s, path + '/', body(order + 'k'), key)
    assert.deepEqual([replay.status, replay.headers['idempotent-replayed'], replay.json()], [201, 'true', first])
    const mismatch = await ask(s, path, body(order + 'x'), key)
    assert.deepEqual([mismatch.status, mismatch.json().code], [422, 'IDEMPOTENCY_MISMATCH'])
  }
  const otherway = await ask(s, WALLET, wallet('o' + QRIS.length))
  assert.equal(otherway.status, 409, 'the same order by another way')
  await s.stop()
})

// ---- bad requests: [what is changed, HTTP status, code, param] ----

const CARDNO = '4811 1111 1111 1114', LONG = 'x'.repeat(2049)
const COMMON = [
  [{ order_id: undefined }, 'order_id'], [{ order_id: null }, 'order_id'], [{ order_id: 7 }, 'order_id'], [{ order_id: '' }, 'order_id'], [{ order_id: 'a b' }, 'order_id'],
  [{ order_id: 'x'.repeat(65) }, 'order_id'], [{ order_id: ['a'] }, 'order_id'], [{ order_id: {} }, 'order_id'],
  [{ amount: undefined }, 'amount'], [{ amount: null }, 'amount'], [{ amount: 0 }, 'amount'], [{ amount: -1 }, 'amount'], [{ amount: '150000' }, 'amount'],
  [{ amount: 0.5 }, 'amount'], [{ amount: true }, 'amount'], [{ amount: [1] }, 'amount'], [{ amount: 1e15 }, 'amount'],
  [{ currency: 'USD' }, 'currency'], [{ currency: 5 }, 'currency'], [{ currency: '' }, 'currency'],
  [{ description: 5 }, 'description'], [{ description: 'x'.repeat(501) }, 'description'], [{ description: 'a\u0007' }, 'description'],
  [{ customer: 'Budi' }, 'customer'], [{ customer: 5 }, 'customer'], [{ customer: [1] }, 'customer'], [{ customer: { name: 5 } }, 'customer.name'],
  [{ customer: { name: '' } }, 'customer.name'], [{ note: 'x'.repeat(70000), amount: 0 }, 'amount'], [{ customer: { email: 'nobody' } }, 'customer.email'], [{ customer: { phone: 'x' } }, 'customer.phone'],
  [{ customer: { name: CARDNO } }, 'customer.name'], [{ description: CARDNO }, 'description'], [{ note: CARDNO }, 'note'],
]
const RAW = ['', '{', '[]', '[{}]', 'null', '5', '"text"', 'true', '{"amount":1,"amount":2}', '{"a":' + '['.repeat(5000), 'amount=150000&order_id=x', '\ufeff{}', '{"order_id":"\\ud800"}']
const DOORS = {
  [QRIS]: [qris, 'error', [[{ merchant_id: 5 }, 'merchant_id'], [{ merchant_id: '' }, 'merchant_id'], [{ merchant_id: 'x'.repeat(256) }, 'merchant_id'],
    [{ merchant_name: [] }, 'merchant_name'], [{ amount: 10000001 }, 'amount', 'LIMIT_EXCEEDED']]],
  [WALLET]: [wallet, 'ERROR', [[{ payment_method: undefined }, 'payment_method'], [{ payment_method: null }, 'payment_method'], [{ payment_method: '' }, 'payment_method'],
    [{ payment_method: 5 }, 'payment_method'], [{ payment_method: 'paypal' }, 'payment_method'], [{ payment_method: 'bca' }, 'payment_method'],
    [{ payment_method: '../x' }, 'payment_method'], [{ payment_method: 'x'.repeat(33) }, 'payment_method'], [{ payment_method: {} }, 'payment_method'],
    [{ redirect_urls: 'https://a.example' }, 'redirect_urls'], [{ redirect_urls: [1] }, 'redirect_urls'], [{ redirect_urls: { success: 5 } }, 'redirect_urls.success'],
    [{ redirect_urls: { success: 'x' } }, 'redirect_urls.success'], [{ redirect_urls: { success: '' } }, 'redirect_urls.success'],
    [{ redirect_urls: { success: 'javascript:alert(1)' } }, 'redirect_urls.success'], [{ redirect_urls: { success: 'https://a.example/' + LONG } }, 'redirect_urls.success'],
    [{ redirect_urls: { failure: 'ftp://a.example/' } }, 'redirect_urls.failure'], [{ redirect_urls: { failure: [] } }, 'redirect_urls.failure'],
    [{ payment_method: 'ovo', customer: undefined }, 'customer.phone'], [{ payment_method: 'ovo', customer: { phone: 5 } }, 'customer.phone'],
    [{ payment_method: 'jenius' }, 'cashtag'], [{ payment_method: 'jenius', cashtag: 5 }, 'cashtag'], [{ amount: 20000001 }, 'amount', 'LIMIT_EXCEEDED']]],
  [CARD]: [card, 'ERROR', [[{ payment_page: 'redirect' }, 'payment_page'], [{ payment_page: [1] }, 'payment_page'], [{ payment_page: { display_type: 'frame' } }, 'payment_page.display_type'],
    [{ payment_page: { display_type: 5 } }, 'payment_page.display_type'], [{ payment_page: { return_url: 5 } }, 'payment_page.return_url'],
    [{ payment_page: { return_url: '' } }, 'payment_page.return_url'], [{ payment_page: { return_url: 'myapp.com' } }, 'payment_page.return_url'],
    [{ payment_page: { return_url: 'data:text/html,x' } }, 'payment_page.return_url'], [{ card_number: CARDNO }, 'card_number'],
    [{ card: { number: '4811111111111114', cvv: '123' } }, 'card.number'], [{ amount: 1000000000 }, 'amount', 'LIMIT_EXCEEDED']]],
}

test('every bad request is named in the door\'s own shape, and leaves no row', async () => {
  const dir = all()
  countable(dir)
  const s = await Server.start({ dir })
  const wrong = []
  let count = 0, before = await rows(s)
  async function bad (path, options, status, code, param) {
    const r = await s.ask('POST', path, options), word = DOORS[path.replace(/\/$/, '')][1]
    const after = await rows(s), left = changed(before, after)
    const say = why => wrong.push(`${path} ${String(options.body && JSON.stringify(options.body)).slice(0, 120)}: ${why}: ${r.status} ${r.body.slice(0, 250)}`)
    let e = {}
    try { e = r.json() } catch { say('no JSON') }
    if (r.status !== status || e.code !== code || e.param !== param) say(`expected ${status} ${code} ${param}`)
    if (e.status !== word || typeof e.message !== 'string' || !e.message || e.request_id !== r.headers['x-request-id']) say(`expected status ${word}, a message, the request's id`)
    if (!/^application\/json/.test(r.headers['content-type'])) say('no application/json')
    if (param && /return_urls|options\./.test(e.message)) say('the message has a name that the request does not')
    if (r.body.includes(CARDNO) || r.body.includes('4811111111111114')) say('it repeats a card number')
    if (left.length) say(`left rows in ${left}`)
    before = after
    count++
  }
  for (const [path, [body, , own]] of Object.entries(DOORS)) {
    for (const [change, param, code] of [...COMMON, ...own]) await bad(path, { body: { ...body('bad'), ...change }, headers: KEY }, 400, code ?? 'INVALID_REQUEST', param)
    for (const raw of RAW) {
      await bad(path, { body: raw, headers: { ...KEY, 'content-type': 'application/json' } }, 400, 'INVALID_REQUEST', undefined)
    }
    for (const text of ['150000.0', '1.5e5', '1e3', '-0', '1000000000001', '123456789012345678901234567890']) {
      await bad(path, { body: JSON.stringify(body('bad')).replace('150000', text), headers: KEY }, 400, 'INVALID_REQUEST', 'amount')
    }
    for (const headers of [{}, basic('sk_test_nobody'), basic(''), { authorization: 'Bearer sk_test_demo' }, { authorization: 'Basic !' }, basic('sk_live_demo')]) {
      await bad(path, { body: body('bad'), headers }, 401, 'UNAUTHORIZED', undefined)
    }
    await bad(path + '/', { body: { ...body('bad'), amount: 0 }, headers: KEY }, 400, 'INVALID_REQUEST', 'amount')
    const good = await ask(s, path, body('good' + path.length))
    assert.equal(good.status, 201, `what was changed is what was refused: ${good.body}`)
    before = await rows(s)
  }
  assert.ok(count >= 180, `${count} cases`)
  assert.equal(wrong.length, 0, `${wrong.length} of ${count}:\n${wrong.join('\n')}`)
  for (const path of Object.keys(DOORS)) assert.equal((await s.get(path, { headers: KEY })).status, 405)
  await s.stop()
})
