// The merchant API: from a create request to settled money, as the contract has it, on the real
// binary with the providers' simulators.
import { test } from 'node:test'
import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from './luwak.mjs'
import { Server, WALLET, root, until } from './server.mjs'

const key = name => ({ authorization: 'Basic ' + Buffer.from(name + ':').toString('base64') })
const DEMO = key('sk_test_demo')

// A root with everything payments need, without the repository's own rules.
function shop (files = {}) {
  const dir = root(...WALLET, 'channels/self_va.lua', 'scripts/sandbox/self.lua', 'scripts/lib/api_query.lua',
    'scripts/api/payments.lua', 'scripts/api/account.lua', 'scripts/jobs/expire_payments.lua', 'scripts/jobs/release_payments.lua',
    'scripts/jobs/simulator.lua')
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(dir, path, '..'), { recursive: true })
    if (text === true) cpSync(join(ROOT, path), join(dir, path))
    else writeFileSync(join(dir, path), text)
  }
  return dir
}

const va = (order_id, more = {}) => ({ order_id, amount: 150000, method: 'virtual_account', bank: 'self', ...more })
const wallet = (order_id, phone = '081234567890') => ({ order_id, amount: 25000, method: 'ewallet', options: { phone } })
const create = (s, body, headers = {}) => s.post('/v1/payments', body, { headers: { ...DEMO, ...headers } })
const get = (s, path) => s.get(path, { headers: DEMO })
const post = (s, path, body, headers = {}) => s.post(path, body, { headers: { ...DEMO, ...headers } })
const pay = (s, ref, more = {}) => s.post('/sandbox/self/_control', { pay: ref, ...more })
const clock = (s, advance) => s.post('/sandbox/_clock', { advance })

// What the bank tells us, signed; returns the answer.
function tell (s, body, secret = 'the-banks-key') {
  const text = JSON.stringify(body)
  return s.post('/callbacks/self', text, { headers: { 'content-type': 'application/json', 'x-signature': createHmac('sha512', secret).update(text).digest('hex') } })
}

test('a virtual account: created, paid, settled, shown, told, available', async () => {
  const s = await Server.start({ dir: shop() })
  const r = await create(s, va('a-1', { customer: { name: 'Budi', email: 'budi@shop.example' }, metadata: { cart: '7' } }))
  assert.equal(r.status, 201, r.body)
  const p = r.json()
  assert.equal(p.object, 'payment')
  assert.equal(p.status, 'pending')
  assert.equal(p.livemode, false)
  assert.deepEqual(p.instructions, { type: 'va_number', bank: 'self', va_number: p.instructions.va_number })
  assert.match(p.instructions.va_number, /^88088\d{10}$/)
  assert.deepEqual(p.customer, { name: 'Budi', email: 'budi@shop.example' })
  assert.deepEqual(p.metadata, { cart: '7' })
  assert.equal(p.scripts.channel.length, 64)
  assert.equal((await pay(s, p.id)).status, 200)
  const paid = (await get(s, `/v1/payments/${p.id}`)).json()
  assert.equal(paid.status, 'success')
  assert.equal(paid.amount_paid, 150000)
  assert.deepEqual(paid.customer, p.customer)
  const events = (await get(s, '/v1/events')).json().data
  assert.deepEqual(events.map(e => [e.sequence, e.type]), [[1, 'payment.created'], [2, 'payment.succeeded']])
  assert.equal((await get(s, '/v1/balance')).json().pending, 150000)
  assert.equal((await clock(s, '5d')).status, 200)
  const balance = (await get(s, '/v1/balance')).json()
  const moves = (await get(s, '/v1/balance/mutations?limit=100')).json().data
  assert.equal(moves[0].balance_after, 10150000)
  assert.equal(moves.at(-1).balance_before, 0)
  for (const m of moves) assert.equal(m.balance_before + m.amount, m.balance_after)
  assert.deepEqual((await get(s, `/v1/balance/mutations?limit=1&starting_after=${moves[0].id}`)).json().data, [moves[1]])
  assert.equal(balance.pending, 0)
  assert.equal(balance.available, 10150000)
  await s.stop()
})

test('a callback: verified or nothing, once however often it comes, answered with the same bytes', async () => {
  const s = await Server.start({ dir: shop(), env: { SELF_KEY: 'the-banks-key' } })
  const p = (await create(s, va('c-1'))).json()
  const money = { va_number: p.instructions.va_number, amount: 150000, money_id: 'm-1', paid_at: new Date().toISOString(), status: 'paid' }
  assert.equal((await tell(s, money, 'wrong')).status, 401)
  const line = await s.logged('callback_refused')
  assert.deepEqual([line.level, line.channel, line.account, line.path, line.status, line.requests], ['warn', 'self_va', 'self', '/callbacks/self', 401, 1])
  assert.match(line.request, /^req_/)
  assert.match(line.error, /^channels\/self_va.lua:\d+: not verified: X-Signature does not fit$/)
  assert.doesNotMatch(JSON.stringify(line), /m-1|the-banks-key|wrong/, 'nothing of what came, and no key')
  for (let i = 0; i < 5; i++) assert.equal((await tell(s, money, 'wrong')).status, 401)
  assert.equal(s.events('callback_refused').length, 1, 'whoever floods us does not flood the log')
  await clock(s, '11s')
  assert.equal((await tell(s, money, 'wrong')).status, 401)
  assert.equal((await s.logged('callback_refused', l => l.requests > 1)).requests, 6)
  assert.equal((await get(s, `/v1/payments/${p.id}`)).json().status, 'pending')
  const all = await Promise.all(Array.from({ length: 50 }, () => tell(s, money)))
  const first = all.filter(r => r.json().status === 'applied')
  assert.ok(first.length >= 1, JSON.stringify(all.map(r => [r.status, r.body]).slice(0, 5)))
  assert.ok(all.every(r => r.status === 200 && ['applied', 'duplicate'].includes(r.json().status)))
  const late = await tell(s, money)
  assert.equal(late.body, '{"status":"applied"}', 'the bytes of the first answer')
  const paid = (await get(s, `/v1/payments/${p.id}`)).json()
  assert.equal(paid.amount_paid, 150000)
  const types = (await get(s, '/v1/events')).json().data.map(e => e.type)
  assert.deepEqual(types, ['payment.created', 'payment.succeeded'])

  assert.equal((await tell(s, { ...money, money_id: 'm-2' })).json().status, 'second_payment')
  assert.equal((await tell(s, { ...money, va_number: '880880000000000' })).status, 503, 'nobody knows it: it shall come again')
  assert.equal((await s.post('/callbacks/nobody', {})).status, 404)
  assert.equal((await s.get('/callbacks/self')).status, 405)
  await s.stop()
})

test('a reversal that comes before its money: not yet, then applied, and to its repeat not "not yet" again', async () => {
  const s = await Server.start({ dir: shop(), env: { SELF_KEY: 'the-banks-key' } })
  const p = (await create(s, va('early'))).json()
  const money = { va_number: p.instructions.va_number, amount: 150000, money_id: 'm-1', status: 'paid' }, back = { ...money, status: 'reversed' }
  assert.equal((await tell(s, back)).status, 503)
  assert.equal((await tell(s, money)).json().status, 'applied')
  const applied = await tell(s, back)
  assert.deepEqual([applied.status, applied.json().status], [200, 'applied'])
  assert.equal((await tell(s, back)).status, 200)
  assert.equal((await get(s, `/v1/payments/${p.id}`)).json().amount_reversed, 150000)
  await s.stop()
})

test('a callback with a time that cannot be: the money counts, as of now', async () => {
  const s = await Server.start({ dir: shop(), env: { SELF_KEY: 'the-banks-key' } })
  for (const [i, paid_at] of ['0001-01-01T00:00:00Z', '1969-12-31T23:59:59Z', '9999-12-31T23:59:59Z', '2099-01-01T00:00:00+07:00'].entries()) {
    const p = (await create(s, va('when-' + i))).json(), before = Date.now()
    const r = await tell(s, { va_number: p.instructions.va_number, amount: 150000, money_id: 'w-' + i, paid_at, status: 'paid' })
    assert.equal(r.body, '{"status":"applied"}', paid_at)
    const paid = Date.parse((await get(s, `/v1/payments/${p.id}`)).json().paid_at)
    assert.ok(paid >= before - 1000 && paid <= Date.now() + 1000, paid_at)
  }
  assert.equal(s.events('paid_at_cannot_be').length, 4)
  await s.stop()
})

test('the same order: 200, 409 with the payment, and a new one after it failed', async () => {
  const s = await Server.start({ dir: shop() })
  const p = (await create(s, va('o-1'))).json()
  const again = await create(s, va('o-1'))
  assert.equal(again.status, 200)
  assert.equal(again.json().id, p.id)
  for (const other of [{ amount: 150001 }, { method: 'ewallet', bank: undefined, options: { phone: '081234567890' } }, { bank: 'bca' }]) {
    const r = await create(s, { ...va('o-1'), ...other })
    assert.equal(r.status, 409, r.body)
    assert.equal(r.json().code, 'DUPLICATE_TRANSACTION')
    assert.equal(r.json().payment_id, p.id)
  }
  const failed = await create(s, wallet('o-2', '081200000000'))
  assert.equal(failed.status, 201)
  assert.equal(failed.json().status, 'failed')
  assert.equal(failed.json().failure.code, 'INSUFFICIENT_BALANCE')
  const anew = await create(s, wallet('o-2'))
  assert.equal(anew.json().status, 'success')
  assert.notEqual(anew.json().id, failed.json().id)
  assert.notEqual(anew.json().attempts[0].reference, 'o-2', 'a reference is used once')
  await s.stop()
})

test('64 identical creates at once are one payment', async () => {
  const s = await Server.start({ dir: shop(), args: ['--workers', '2'] })
  const all = await Promise.all(Array.from({ length: 64 }, () => create(s, wallet('r-1'))))
  assert.ok(all.every(r => [200, 201].includes(r.status)), all.find(r => r.status > 201)?.body)
  assert.equal(new Set(all.map(r => r.json().id)).size, 1)
  assert.equal(all.filter(r => r.status === 201).length, 1)
  assert.ok(all.every(r => r.json().status === 'success'))
  await s.stop()
})

test('Idempotency-Key: the stored bytes, 422 for another body, refusals are not kept', async () => {
  const s = await Server.start({ dir: shop() })
  const k = { 'idempotency-key': 'k-1' }
  const bad = await create(s, va('i-1', { amount: 0 }), k)
  assert.equal(bad.status, 400)
  const first = await create(s, wallet('i-1'), k)
  assert.equal(first.status, 201)
  assert.equal(first.headers['idempotent-replayed'], undefined)
  const again = await create(s, wallet('i-1'), k)
  assert.equal(again.status, 201)
  assert.equal(again.headers['idempotent-replayed'], 'true')
  assert.equal(again.body, first.body)
  const other = await create(s, wallet('i-2'), k)
  assert.equal(other.status, 422)
  assert.equal(other.json().code, 'IDEMPOTENCY_MISMATCH')
  const long = await create(s, va('i-3'), { 'idempotency-key': 'x'.repeat(256) })
  assert.equal(long.status, 400)
  assert.equal(long.json().param, 'Idempotency-Key')
  for (const wrong of ['k\u00e9', 'k\t1', '\u0080']) {
    for (const path of ['/v1/payments', `/v1/payments/${first.json().id}/refunds`, `/v1/payments/${first.json().id}/capture`]) {
      const r = await post(s, path, path === '/v1/payments' ? va('i-4') : {}, { 'idempotency-key': wrong })
      assert.equal(r.status, 400, r.body)
      if (wrong !== 'k\t1') assert.equal(r.json().param, 'Idempotency-Key')
    }
  }
  for (const [method, path] of [['post', '/v1/payments?x=1'], ['get', '/v1/balance?limit=0'], ['get', '/v1/channels?x']]) {
    const r = method === 'get' ? await get(s, path) : await post(s, path, va('i-5'))
    assert.equal(r.status, 400, path)
  }
  await s.stop()
})

test('what is wrong is named, and leaves nothing', async () => {
  const s = await Server.start({ dir: shop() })
  const cases = [
    [va('b-1', { amount: '150000' }), 'amount'], ['{"order_id":"b","amount":150000.0,"method":"virtual_account"}', 'amount'],
    ['{"order_id":"b","amount":1.5e5,"method":"virtual_account"}', 'amount'],
    [va('b-1', { amout: 1 }), 'amout'], [va('b 1'), 'order_id'], [va('b-1', { currency: 'USD' }), 'currency'],
    [va('b-1', { method: 'cash' }), 'method'], [va('b-1', { bank: 'nobank' }), 'bank'], [va('b-1', { channel: 'no_va' }), 'channel'],
    [va('b-1', { expires_in: 0 }), 'expires_in'], [va('b-1', { expires_in: 181 * 86400 }), 'expires_in'],
    [va('b-1', { customer: { email: 'x' } }), 'customer.email'], [va('b-1', { return_urls: { success: 'ftp://x' } }), 'return_urls.success'],
    [wallet('b-1', 7), 'options.phone'], [{ order_id: 'b', amount: 25000, method: 'ewallet' }, 'options.phone'],
    [va('b-1', { options: { amount: 1 } }), 'options.amount'], ['[]', undefined], ['{', undefined]]
  for (const [body, param] of cases) {
    const r = await create(s, body, { 'content-type': 'application/json' })
    assert.equal(r.status, 400, JSON.stringify(body) + r.body)
    assert.equal(r.json().param, param, JSON.stringify(body) + r.body)
    assert.equal(r.headers['content-type'], 'application/problem+json')
  }
  const limit = await create(s, { ...wallet('b-2'), amount: 999 })
  assert.equal(limit.status, 400)
  assert.equal(limit.json().code, 'LIMIT_EXCEEDED')
  assert.equal(limit.json().param, 'amount')
  assert.equal((await create(s, { order_id: 'b-3', amount: 5000, method: 'qris' })).status, 503, 'no channel: no row')
  assert.deepEqual((await get(s, '/v1/payments')).json().data, [])
  for (const [path, param] of [['?limit=0', 'limit'], ['?limit=101', 'limit'], ['?limt=1', 'limt'], ['?status=paid', 'status'],
    ['?created_after=yesterday', 'created_after'], ['?starting_after=pay_x', 'starting_after']]) {
    const r = await get(s, '/v1/payments' + path)
    assert.equal(r.status, 400, path)
    assert.equal(r.json().param, param)
  }
  await s.stop()
})

test('who calls: keys, limits, others\' payments', async () => {
  const s = await Server.start({ dir: shop() })
  const p = (await create(s, va('w-1'))).json()
  for (const headers of [{}, key('sk_test_nobody'), key('sk_live_x'), { authorization: 'Basic !' }, { authorization: 'Bearer sk_test_demo' }]) {
    const r = await s.get(`/v1/payments/${p.id}`, { headers })
    assert.equal(r.status, 401)
    assert.equal(r.json().code, 'UNAUTHORIZED')
    assert.match(r.headers['www-authenticate'], /^Basic/)
  }
  const other = await s.get(`/v1/payments/${p.id}`, { headers: key('sk_test_limited') })
  assert.equal(other.status, 404)
  assert.equal(other.headers['ratelimit-limit'], '100')
  let refused
  for (let i = 0; i < 120 && !refused; i++) {
    const r = await s.get('/v1/balance', { headers: key('sk_test_limited') })
    if (r.status === 429) refused = r
  }
  assert.equal(refused.json().code, 'RATE_LIMITED')
  assert.ok(Number(refused.headers['retry-after']) >= 1)
  assert.equal(refused.headers['ratelimit-remaining'], '0')
  for (let i = 0; i < 120; i++) assert.equal((await get(s, '/v1/balance')).status, 200)
  await s.stop()
})

test('cancel, expiry, refund', async () => {
  const s = await Server.start({ dir: shop() })
  const p = (await create(s, va('e-1'))).json()
  const cancelled = await post(s, `/v1/payments/${p.id}/cancel`)
  assert.equal(cancelled.status, 200)
  assert.equal(cancelled.json().status, 'cancelled')
  assert.equal((await post(s, `/v1/payments/${p.id}/cancel`)).status, 200)

  const e = (await create(s, va('e-2', { expires_in: 3600 }))).json()
  await clock(s, '30m')
  assert.equal((await get(s, `/v1/payments/${e.id}`)).json().status, 'pending')
  await clock(s, '2h')
  assert.equal((await get(s, `/v1/payments/${e.id}`)).json().status, 'expired')
  assert.equal((await post(s, `/v1/payments/${e.id}/cancel`)).json().code, 'INVALID_STATE')

  const f = (await create(s, va('e-3'))).json()
  await pay(s, f.id)
  const refund = (body, k) => post(s, `/v1/payments/${f.id}/refunds`, body, k ? { 'idempotency-key': k } : {})
  assert.equal((await refund({ amount: 1 })).json().param, 'Idempotency-Key')
  assert.equal((await refund({ amount: 1 }, 'r-1')).json().param, 'destination', 'nobody pays back through this bank')
  const destination = { bank: 'bca', account_number: '1234567890', account_holder: 'Budi' }
  const done = await refund({ amount: 100000, destination }, 'r-2')
  assert.equal(done.status, 201)
  assert.equal(done.json().status, 'pending')
  assert.equal((await refund({ amount: 100000, destination }, 'r-2')).body, done.body)
  assert.equal((await refund({ amount: 100000, destination }, 'r-3')).json().param, 'amount')
  const many = await Promise.all(Array.from({ length: 20 }, (_, i) => refund({ amount: 50000, destination }, `q-${i}`)))
  assert.equal(many.filter(r => r.status === 201).length, 1, 'fifty thousand are left, once')
  assert.equal((await get(s, `/v1/payments/${f.id}/refunds`)).json().data.length, 2)
  await s.stop()
})

const RULES = {
  'rules/fees/self.lua': `return { api = 1, kind = "fee", match = { provider = "self" }, fee = function(p)
    return { bearer = "customer", lines = { { "service", 4000 }, { "ppn", 440 } } } end }`,
  'rules/risk/amount.lua': `return { api = 1, kind = "risk", judge = function(p)
    if p.amount == 666 then return deny "blocked" end
    if p.amount == 777 then return review "look at it" end
    if p.amount == 888 then error "broken" end
    return allow end }`,
  'rules/risk/velocity.lua': true
}

test('rules: the payer\'s fee is due, risk denies, holds and fails safely', async () => {
  const s = await Server.start({ dir: shop(RULES) })
  const p = (await create(s, va('f-1'))).json()
  assert.equal(p.amount, 150000)
  assert.equal(p.amount_due, 154440)
  assert.deepEqual(p.fee, { total: 4440, bearer: 'customer', lines: [{ name: 'service', amount: 4000 }, { name: 'ppn', amount: 440 }] })
  assert.equal(p.scripts.fee.length, 64)
  await pay(s, p.id)
  assert.equal((await get(s, `/v1/payments/${p.id}`)).json().amount_paid, 154440)
  const denied = await create(s, va('f-2', { amount: 666 }))
  assert.equal(denied.status, 201)
  assert.equal(denied.json().status, 'failed')
  assert.equal(denied.json().failure.code, 'FRAUD_DETECTED')
  assert.deepEqual(denied.json().attempts, [])
  const held = await create(s, va('f-3', { amount: 777 }))
  assert.equal(held.json().status, 'processing')
  assert.equal(held.json().instructions, null)
  const broken = await create(s, va('f-4', { amount: 888 }))
  assert.equal(broken.status, 500)
  assert.deepEqual((await get(s, '/v1/payments?order_id=f-4')).json().data, [])
  const customer = { email: 'fast@shop.example' }
  let last
  for (let i = 0; i < 23; i++) last = (await create(s, va(`v-${i}`, { customer }))).json()
  assert.equal(last.failure.code, 'FRAUD_DETECTED', 'more than twenty in an hour')
  assert.equal((await create(s, va('v-other', { customer: { email: 'slow@shop.example' } }))).json().status, 'pending')
  const quote = (await post(s, '/v1/quotes', { amount: 10000, channel: 'self_va' })).json()
  assert.equal(quote.options[0].amount_due, 14440)
  // a rule that is saved serves within a second
  writeFileSync(join(s.dir, 'rules/fees/self.lua'), RULES['rules/fees/self.lua'].replace('4000', '5000'))
  await until('the new fee', async () => (await post(s, '/v1/quotes', { amount: 10000, channel: 'self_va' })).json().options[0].amount_due === 15440, 5000)
  await s.stop()
})

test('policy: late money counts, second money goes back, a wrong amount waits', async () => {
  const rules = Object.fromEntries(['late', 'second', 'over', 'short'].map(name => [`rules/policy/${name}.lua`, true]))
  const s = await Server.start({ dir: shop(rules), env: { SELF_KEY: 'the-banks-key' } })
  const money = (p, money_id, amount = 150000) => ({ va_number: p.instructions.va_number, amount, money_id, status: 'paid' })
  const shown = async p => (await get(s, `/v1/payments/${p.id}`)).json()

  const twice = (await create(s, va('p-1'))).json()
  assert.equal((await tell(s, money(twice, 'm-1'))).json().status, 'applied')
  assert.equal((await tell(s, money(twice, 'm-2'))).json().status, 'second_payment')
  const [back] = (await get(s, `/v1/payments/${twice.id}/refunds`)).json().data
  assert.equal(back.amount, 150000)
  assert.equal(back.status, 'pending', 'by hand: the bank takes nothing back')
  assert.equal((await shown(twice)).amount_paid, 150000)
  assert.equal((await tell(s, money(twice, 'm-2'))).json().status, 'second_payment', 'the same money, the same bytes')
  assert.equal((await get(s, `/v1/payments/${twice.id}/refunds`)).json().data.length, 1)

  const late = (await create(s, va('p-2', { expires_in: 600 }))).json()
  const wrong = (await create(s, va('p-3'))).json()
  await clock(s, '2h')
  assert.equal((await shown(late)).status, 'expired')
  assert.equal((await tell(s, money(late, 'm-3'))).status, 200)
  assert.equal((await shown(late)).status, 'success', 'within a day it counts')
  assert.equal((await tell(s, money(wrong, 'm-4', 149000))).json().status, 'amount_mismatch')
  assert.equal((await shown(wrong)).status, 'pending')
  assert.equal((await shown(wrong)).amount_paid, 0)
  await s.stop()
})

const LISTENER = `return { api = 1, title = "listener", provider = "listener", method = "virtual_account", effect = "offer", hosts = {},
  lookup = "ours", inquire = function() return pending {} end, create = function() return pending { va_number = "1" } end,
  notify = function(ctx, request)
    local told = json.decode(request.body)
    if told.early then ctx.settle { reference = "x", status = "success", amount = 1 } end
    ctx.verify(told.good)
    local verdict = ctx.settle { reference = told.reference, status = "success", amount = 150000, money_id = told.money_id }
    if told.broken then error "after it was booked" end
    return reply(told.status or 200, { verdict = verdict })
  end,
  on_trouble = function() return reply(202, { trouble = true }) end }`
const HELD = 'return { api = 1, routes = { ["GET /test/held"] = { auth = "none", run = function() return 200, json.array(store.query("movements_held", 10)) end } } }'

test('a callback: nothing before it is verified, an orphan repeats and ends in suspense, trouble after booking is hidden', async () => {
  const s = await Server.start({ dir: shop({ 'channels/listener_va.lua': LISTENER, 'scripts/api/held.lua': HELD, 'scripts/jobs/suspense.lua': true }) })
  const tell = body => s.post('/callbacks/listener', body)
  const held = async () => (await s.get('/test/held')).json()
  await create(s, { order_id: 'n-1', amount: 150000, method: 'virtual_account', channel: 'listener_va' })
  assert.equal((await tell({ good: true, early: true })).status, 500)
  assert.equal((await tell({ reference: 'n-1' })).status, 401)
  assert.equal((await tell({ reference: 'nobody', good: true, money_id: 'o-1' })).status, 503)
  assert.equal((await tell({ reference: 'nobody', good: true, money_id: 'o-1' })).status, 503)
  assert.equal((await held()).length, 0)
  await clock(s, '40m')
  assert.deepEqual((await held()).map(m => [m.money_id, m.held, m.why]), [['o-1', 150000, 'orphan']])
  const hidden = await tell({ reference: 'n-1', good: true, money_id: 'm-1', broken: true })
  assert.equal(hidden.status, 202)
  assert.equal(hidden.body, '{"trouble":true}')
  assert.equal((await tell({ reference: 'n-1', good: true, money_id: 'm-1', status: 404 })).status, 202, 'nor a 4xx after it')
  assert.equal((await s.post('/callbacks/listener_va/x', { reference: 'n-1', good: true, money_id: 'm-1' })).json().verdict, 'duplicate')
  assert.equal((await get(s, '/v1/payments?order_id=n-1')).json().data[0].status, 'success')
  await s.stop()
})

test('a callback is heard by a channel that is there before one that is gone, and by its provider before a file of that name', async () => {
  const says = (word, provider = 'listener') => LISTENER.replace('provider = "listener"', `provider = "${provider}"`).replace(/notify = function[^]*?\n {2}end,/,
    `notify = function(ctx) ctx.verify(true) return reply(200, { verdict = "${word}" }) end,`)
  const dir = shop({ 'channels/listener_va.lua': says('true'), 'channels/a_va.lua': says('gone'), 'channels/listener.lua': says('by chance', 'other') })
  const s = await Server.start({ dir }), heard = async at => (await s.post(`/callbacks/${at}`, {})).json().verdict
  rmSync(join(dir, 'channels/a_va.lua'))
  await s.logged('script_deleted')
  assert.equal(await heard('listener'), 'true')
  assert.equal(await heard('other'), 'by chance')
  assert.equal(await heard('a_va'), 'gone', 'what it offered can still be paid')
  rmSync(join(dir, 'channels/listener_va.lua'))
  await s.logged('script_deleted', l => l.path === 'channels/listener_va.lua')
  assert.equal(await heard('listener'), 'gone', 'by one of its channels, as long as there is any')
  await s.stop()
})

test('no answer in time: processing, the same bytes again, and the truth when it is asked', async () => {
  const dir = shop(), env = { LUWAK_CREATE_WAIT: '4s' }, k = { 'idempotency-key': 'slow' }
  const first = await Server.start({ dir, env })
  assert.equal((await first.post('/sandbox/demo/_control', { next: 'timeout_after_debit' })).status, 200)
  const r = await create(first, wallet('l-1'), k)
  assert.equal(r.status, 201)
  assert.equal(r.json().status, 'processing')
  assert.equal(r.json().instructions, null)
  const again = await create(first, wallet('l-1'), k)
  assert.equal(again.body, r.body)
  assert.equal((await create(first, wallet('l-1'))).status, 200, 'the same order: it is there')
  await first.kill()
  const s = await Server.start({ dir, data: first.data, env })
  await clock(s, '10m')
  const p = (await get(s, `/v1/payments/${r.json().id}`)).json()
  assert.equal(p.status, 'success')
  assert.equal(p.amount_paid, 25000)
  assert.equal((await create(s, wallet('l-1'), k)).body, r.body, 'what was answered stays the answer')
  await s.stop()
})

// Two channels of one method: the first one is down in the way the test says.
const two = first => ({
  'channels/first_va.lua': `return { api = 1, title = "first", provider = "first", method = "virtual_account", bank = "two", effect = "offer",
    hosts = { sandbox = "api.first.example" }, lookup = "ours", inquire = function() return not_created {} end,
    create = function(ctx, op) ${first} end }`,
  'channels/second_va.lua': `return { api = 1, title = "second", provider = "second", method = "virtual_account", bank = "two", effect = "offer",
    hosts = { sandbox = "api.second.example" }, lookup = "ours", inquire = function() return pending {} end,
    create = function(ctx, op) return pending { va_number = "222" .. op.reference } end }`
})

for (const [what, first, falls] of [
  ['says BANK_UNAVAILABLE', 'return failed { category = "BANK_UNAVAILABLE", final = true }', true],
  ['proves it made nothing', 'return not_created {}', true],
  ['breaks before it sent', 'error "oh"', true],
  ['declines', 'return failed { category = "FRAUD_DETECTED", final = true }', false],
  ['does not know', 'return unknown {}', false]]) {
  test(`fallover: the first channel ${what}`, async () => {
    const s = await Server.start({ dir: shop(two(first)) })
    const r = await create(s, { order_id: 't-1', amount: 20000, method: 'virtual_account', bank: 'two' })
    assert.equal(r.status, 201, r.body)
    const p = r.json()
    assert.deepEqual(p.attempts.map(a => a.channel), falls ? ['first_va', 'second_va'] : ['first_va'])
    assert.equal(p.status, falls ? 'pending' : what === 'declines' ? 'failed' : 'processing')
    assert.equal(p.instructions?.va_number, falls ? `222${p.attempts[1].reference}` : undefined)
    await s.stop()
  })
}

for (const [point, status] of [['operation.intent', 'failed'], ['operation.decided', 'success'], ['operation.moved', 'success']]) {
  test(`kill -9 at ${point}: known after the restart, charged once`, async () => {
    const dir = shop()
    const k = { 'idempotency-key': 'crash' }
    const first = await Server.start({ dir, env: { LUWAK_FAULT: `${point}=kill` } })
    await assert.rejects(create(first, wallet('x-1'), k))
    assert.equal((await first.ended).signal, 'SIGKILL')
    const s = await Server.start({ dir, data: first.data })
    const replay = await create(s, wallet('x-1'), k)
    assert.equal(replay.status, 201)
    assert.equal(replay.headers['idempotent-replayed'], 'true')
    await clock(s, '10m')
    const p = (await get(s, `/v1/payments/${replay.json().id}`)).json()
    assert.equal(p.status, status)
    assert.equal(p.amount_paid, status === 'success' ? 25000 : 0)
    assert.equal(p.attempts.length, 1)
    await s.stop()
  })
}

test('another amount than due goes to suspense, and the payment ends all the same', async () => {
  const s = await Server.start({ dir: ROOT })
  const MADE = { bca: { method: 'virtual_account', bank: 'bca' }, gopay: { method: 'ewallet', channel: 'midtrans_gopay' } }
  const shown = async p => (await get(s, `/v1/payments/${p.id}`)).json()
  const made = []
  for (const way of ['bca', 'gopay']) {
    for (const word of ['over', 'short']) {
      for (const end of ['expired', 'cancelled']) {
        const order_id = `w-${way}-${word}-${end}`
        const r = await create(s, { order_id, amount: 50000, ...MADE[way] })
        assert.equal(r.status, 201, r.body)
        const p = r.json()
        await s.post('/sandbox/midtrans/_control', { next: word, match: { order_id } })
        assert.equal((await s.post('/sandbox/midtrans/_control', { pay: p.id })).status, 200)
        assert.deepEqual([(await shown(p)).status, (await shown(p)).amount_paid], ['pending', 0])
        if (end === 'cancelled') {
          const c = await post(s, `/v1/payments/${p.id}/cancel`)
          assert.equal(c.status, 200, c.body)
        }
        made.push([p, end])
      }
    }
  }
  await clock(s, '30h')
  for (const [p, end] of made) assert.equal((await shown(p)).status, end, p.order_id)
  await s.stop()
})

test('an order id of dots is not a step in a path', async () => {
  const s = await Server.start({ dir: ROOT })
  for (const order_id of ['.', '..']) {
    const p = (await create(s, { order_id, amount: 50000, method: 'virtual_account', bank: 'bca' })).json()
    assert.equal(p.status, 'pending')
    const c = await post(s, `/v1/payments/${p.id}/cancel`)
    assert.equal(c.status, 200, c.body)
  }
  await s.stop()
})

const ROGUE = `return { api = 1, title = "rogue", provider = "rogue", method = "virtual_account", effect = "offer", hosts = {},
  lookup = "ours", inquire = function() return unknown {} end,
  create = function(ctx, op)
    local word = op.input.order_id
    if word == "card" then return failed { category = "INVALID_REQUEST", message = "card 4111 1111 1111 1111 is no good" } end
    if word == "nothing" then return success { amount = 0 } end
    if word == "spoil" then ctx.http = nil end
    if word == "spoil-deep" then ctx.http.get = nil end
    if word == "spoil-config" then ctx.config.x = 1 end
    return pending { va_number = ctx.http.get and "1" }
  end,
  notify = function(ctx, request)
    ctx.verify(true)
    return reply(200, { verdict = ctx.settle { reference = "good", status = "success", amount = 50000, money_id = "m", paid_at = math.maxinteger } })
  end }`

test('a channel cannot spoil the next call, pay with nothing, or have a card number kept', async () => {
  const s = await Server.start({ dir: shop({ 'channels/rogue_va.lua': ROGUE }), args: ['--workers', '1'] })
  const make = async order_id => (await create(s, { order_id, amount: 50000, method: 'virtual_account', channel: 'rogue_va' })).json()
  assert.equal((await make('good')).status, 'pending')
  for (const word of ['spoil', 'spoil-deep', 'spoil-config']) {
    assert.equal((await make(word)).status, 'failed', 'it failed before it sent')
    assert.equal((await make('after-' + word)).status, 'pending')
  }
  assert.equal((await make('nothing')).status, 'processing')
  const card = await make('card')
  assert.equal(card.status, 'failed')
  assert.match(JSON.stringify(card), /411111|4111 11/)
  assert.doesNotMatch(JSON.stringify(card), /4111 1111 1111 1111/)
  assert.equal((await s.post('/callbacks/rogue', {})).status, 500)
  assert.equal((await get(s, '/v1/payments?order_id=good')).json().data[0].status, 'pending')
  await s.stop()
})
