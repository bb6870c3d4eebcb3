// Notifications out in Midtrans' words, to a shop that listens with midtrans-client: signed with the key that it
// charges with, delivered by the same queue as all webhooks.
import { after, test } from 'node:test'
import assert from 'node:assert/strict'
import http from 'node:http'
import { rmSync, writeFileSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Door, KEY, basic, signature } from './midtrans_door.mjs'
import { luwak } from './luwak.mjs'
import { until } from './server.mjs'

const shops = []
after(() => shops.forEach(s => { s.closeAllConnections(); s.close() }))

// A shop's receiver; what came, by order.
async function receiver () {
  const r = { came: [], answer: 200 }
  const server = http.createServer((req, res) => {
    const parts = []
    req.on('data', p => parts.push(p))
    req.on('end', () => {
      const body = Buffer.concat(parts).toString()
      r.came.push({ headers: req.headers, body, ...JSON.parse(body) })
      res.writeHead(r.answer).end()
    })
  })
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve))
  shops.push(server)
  r.url = `http://127.0.0.1:${server.address().port}/notify`
  r.of = order_id => r.came.filter(n => n.order_id === order_id)
  return r
}

async function listen (d, url, more = {}, key = KEY) {
  const none = await d.s.post('/v1/webhook_endpoints', { url, format: 'xendit' }, { headers: basic(key) })
  assert.deepEqual([none.status, none.json().param, none.json().detail], [400, 'format', 'format is one of "standard", "midtrans"'])
  const r = await d.s.post('/v1/webhook_endpoints', { url, format: 'midtrans', ...more }, { headers: basic(key) })
  assert.equal(r.status, 201, r.body)
  return r.json()
}

test('pending, settlement, refund; expire and cancel; deny: each once, signed, and true when asked back', async () => {
  const d = await Door.start(), shop = await receiver()
  const e = await listen(d, shop.url)
  assert.equal(e.format, 'midtrans')
  const words = async (order_id, ...all) => {
    await until(`${all}`, () => shop.of(order_id).length >= all.length)
    assert.deepEqual(shop.of(order_id).map(n => n.transaction_status).sort(), [...all].sort())
    for (const n of shop.of(order_id)) {
      assert.equal(n.signature_key, signature(n), n.body)
      assert.equal(n.status_message, 'midtrans payment notification')
      assert.equal(n.headers['content-type'], 'application/json')
      assert.equal((await d.core.transaction.notification(n)).transaction_id, n.transaction_id)
    }
    return shop.of(order_id).find(n => n.transaction_status === all.at(-1))
  }
  const va = await d.va('bca')
  const pending = await words(va.order_id, 'pending')
  assert.deepEqual([pending.status_code, pending.va_numbers], ['201', va.va_numbers])
  await d.pay(va.order_id)
  const paid = await words(va.order_id, 'pending', 'settlement')
  assert.deepEqual([paid.status_code, paid.fraud_status, paid.gross_amount, paid.payment_type], ['200', 'accept', '44000.00', 'bank_transfer'])
  const seen = await d.core.transaction.notification(paid.body)
  assert.deepEqual([seen.transaction_status, seen.settlement_time], ['settlement', paid.settlement_time])

  const gopay = await d.charge('gopay', { custom_field1: 'mine' })
  await d.pay(gopay.order_id)
  await d.core.transaction.refund(gopay.order_id, { refund_key: 'r-1', amount: 4000, reason: 'too hot' })
  const back = await words(gopay.order_id, 'pending', 'settlement', 'partial_refund')
  assert.deepEqual([back.status_code, back.custom_field1, back.refunds[0].refund_amount], ['200', 'mine', '4000.00'])

  for (const [call, word] of [['cancel', 'cancel'], ['expire', 'expire']]) {
    const t = await d.va('bni')
    await d.core.transaction[call](t.order_id)
    assert.equal((await words(t.order_id, 'pending', word)).status_code, '202', 'though status says otherwise')
  }
  // an `expire` that came to nothing is not what ended it, by whichever door, nor is one whose answer is not known when
  // `cancel` is asked for
  for (const [no, code] of [['refused', '412'], ['server_error', '201']]) {
    const t = await d.va('bni')
    await d.s.post('/sandbox/midtrans/_control', { next: no, match: { payment_id: t.transaction_id } })
    assert.equal(await d.core.transaction.expire(t.order_id).then(a => a.status_code, e => e.ApiResponse.status_code), code)
    await d.clock('10m')
    if (no === 'refused') assert.equal((await d.s.post(`/v1/payments/${t.transaction_id}/cancel`, '', { headers: basic(KEY) })).json().status, 'cancelled')
    else await until('cancelled', async () => (await d.core.transaction.cancel(t.order_id)).status_code === '200')
    await words(t.order_id, 'pending', 'cancel')
    assert.equal((await d.core.transaction.status(t.order_id)).transaction_status, 'cancel')
  }
  const taken = await d.va('permata')
  await d.s.post('/sandbox/midtrans/_control', { next: 'deny_after_settlement', match: { order_id: taken.order_id } })
  await d.pay(taken.order_id)
  const denied = await words(taken.order_id, 'pending', 'settlement', 'deny') // the bank took it back
  assert.deepEqual([denied.status_code, (await d.core.transaction.status(taken.order_id)).transaction_status], ['202', 'deny'])

  const late = await d.va('bri')
  await d.clock('26h')
  assert.equal((await words(late.order_id, 'pending', 'expire')).status_code, '202')

  // a page is no transaction before something was picked on it
  const page = d.order()
  await d.snap.createTransaction({ transaction_details: { order_id: page, gross_amount: 44000 } })
  await d.clock('26h')
  await until('the page is over', async () => (await d.payments(page))[0].status === 'expired')
  assert.deepEqual(shop.of(page), [])
  await d.s.stop()
})

test('signed with the key that charged; another merchant hears nothing', async () => {
  const d = await Door.start(), shop = await receiver(), other = await receiver()
  await listen(d, shop.url)
  await listen(d, other.url, {}, 'sk_test_limited')
  const t = await d.va('bca')
  const mine = d.client('sk_test_limited')
  const u = await mine.core.charge({ payment_type: 'qris', transaction_details: { order_id: 'theirs', gross_amount: 1500 } })
  await until('both', () => shop.came.length === 1 && other.came.length === 1)
  assert.equal(shop.came[0].signature_key, signature(shop.came[0], KEY))
  assert.equal(other.came[0].signature_key, signature(other.came[0], 'sk_test_limited'))
  assert.deepEqual([shop.came[0].transaction_id, other.came[0].transaction_id], [t.transaction_id, u.transaction_id])
  assert.ok(!d.s.raw.includes(KEY), 'no key in the log')

  // a merchant with two keys: each payment's own, until that is revoked
  const cli = (...args) => { const r = luwak([...args, '--simulated', '--data', d.s.data, '--root', d.s.dir]); assert.equal(r.code, 0, r.err); return r.out.trim() }
  const merchant = t.merchant_id
  const [id, newer] = cli('key', 'new', merchant).split('  ')
  const told = async (order_id, status) => until(status, () => shop.of(order_id).find(n => n.transaction_status === status))
  const [a, b] = [await d.va('bni'), await d.client(newer).core.charge({ payment_type: 'qris', transaction_details: { order_id: d.order(), gross_amount: 1500 } })]
  for (const [n, key] of [[await told(a.order_id, 'pending'), KEY], [await told(b.order_id, 'pending'), newer]]) assert.equal(n.signature_key, signature(n, key))
  cli('key', 'revoke', merchant, id)
  await d.pay(b.order_id)
  const paid = await told(b.order_id, 'settlement')
  assert.equal(paid.signature_key, signature(paid, KEY), 'with one that lives')

  // the shop's next key bears the label of its last one: another shop's, though newer, is not what it can check with
  const [was, old] = cli('key', 'new', merchant, '--label', 'till').split('  ')
  const c = await d.client(old).core.charge({ payment_type: 'qris', transaction_details: { order_id: d.order(), gross_amount: 1500 } })
  const [, next] = cli('key', 'new', merchant, '--label', 'till').split('  ')
  cli('key', 'new', merchant, '--label', 'web')
  cli('key', 'revoke', merchant, was)
  await d.pay(c.order_id)
  const last = await told(c.order_id, 'settlement')
  assert.equal(last.signature_key, signature(last, next))
  await d.s.stop()
})

test('the same queue: tried again, and again after the script was broken or the server was killed', async () => {
  const d = await Door.start(), shop = await receiver()
  await listen(d, shop.url)
  shop.answer = 500
  const t = await d.va('bca')
  await until('first try', () => shop.came.length === 1)
  await d.clock('5s')
  await until('second try', () => shop.came.length === 2)
  assert.equal(shop.came[1].headers['webhook-id'], shop.came[0].headers['webhook-id'])
  shop.answer = 200

  const file = join(d.s.dir, 'scripts/api/midtrans.lua'), script = readFileSync(file, 'utf8')
  writeFileSync(file, script.replace('local function webhook(letter)', 'local function webhook(letter) error "broken"'))
  await d.s.logged('script_live', l => JSON.stringify(l).includes('midtrans'))
  await d.pay(t.order_id)
  await d.s.logged('webhook_failed', l => /broken/.test(l.error))
  assert.deepEqual(shop.of(t.order_id).filter(n => n.transaction_status === 'settlement'), [])
  rmSync(file)
  await d.s.logged('webhook_failed', l => /no script/.test(l.error) || /broken/.test(l.error))
  writeFileSync(file, script)
  await d.s.kill('SIGKILL')
  const again = await Door.start({ dir: d.s.dir, data: d.s.data })
  await again.clock('10m')
  await until('settlement', () => shop.of(t.order_id).some(n => n.transaction_status === 'settlement'))
  assert.equal(signature(shop.came.at(-1)), shop.came.at(-1).signature_key)
  await again.s.stop()
})

test('a format that nobody speaks is refused; ours is the default', async () => {
  const d = await Door.start()
  for (const format of ['xendit', 'payments', '', 7, null, 'Midtrans', '../midtrans']) {
    const r = await d.s.post('/v1/webhook_endpoints', { url: 'http://127.0.0.1:9/', format }, { headers: basic(KEY) })
    assert.equal(r.status, 400, JSON.stringify(format))
    assert.equal(r.json().param, 'format')
  }
  const r = await d.s.post('/v1/webhook_endpoints', { url: 'http://127.0.0.1:9/' }, { headers: basic(KEY) })
  assert.equal(r.json().format, 'standard')
  await d.s.stop()
})

test('one payment\'s own URLs: in place of the shop\'s, or besides; none an endpoint of the merchant\'s', async () => {
  const d = await Door.start(), [shop, one, two] = await Promise.all([receiver(), receiver(), receiver()])
  await listen(d, shop.url)
  const charge = async (headers, path = '/v2/charge') => {
    const order_id = d.order()
    const r = await d.s.post(path, { payment_type: 'bank_transfer', transaction_details: { order_id, gross_amount: 44000 }, bank_transfer: { bank: 'bca' } }, { headers: { ...basic(KEY), ...headers } })
    return { order_id, ...r.json(), status: r.status }
  }
  const over = await charge({ 'X-Override-Notification': `${one.url}, ${two.url}` })
  const more = await charge({ 'X-Append-Notification': one.url })
  const plain = await charge({})
  for (const t of [over, more, plain]) {
    assert.equal(t.status_code, '201', JSON.stringify(t))
    await d.pay(t.order_id)
  }
  const heard = (...who) => who.map(r => r.of.bind(r)).map(of => [over, more, plain].map(t => of(t.order_id).length))
  await until('all', () => shop.came.length >= 4 && one.came.length >= 4 && two.came.length >= 2)
  await d.clock('1m')
  assert.deepEqual(heard(shop, one, two), [[0, 2, 2], [2, 2, 0], [2, 0, 0]])
  for (const n of [...shop.came, ...one.came, ...two.came]) assert.equal(n.signature_key, signature(n))
  const endpoints = async () => (await d.s.get('/v1/webhook_endpoints', { headers: basic(KEY) })).json().data
  assert.deepEqual((await endpoints()).map(e => e.url), [shop.url])
  // sent once more it goes where it went
  const events = (await d.s.get(`/v1/payments/${over.transaction_id}/events`, { headers: basic(KEY) })).json().data
  const paid = events.find(e => e.type === 'payment.succeeded')
  assert.equal((await d.s.post(`/v1/events/${paid.id}/redeliver`, '', { headers: basic(KEY) })).status, 200)
  await until('once more', () => one.of(over.order_id).length === 3 && two.of(over.order_id).length === 3)
  assert.equal(shop.of(over.order_id).length, 0)

  // a URL per order, and more of them than a merchant may have endpoints; one that is gone is no end to the others
  one.answer = 410
  const all = await Promise.all(Array.from({ length: 20 }, (_, i) => charge({ 'X-Override-Notification': `${one.url}/${i}` })))
  assert.deepEqual(all.map(t => t.status_code), all.map(() => '201'))
  await until('each', () => all.every(t => one.of(t.order_id).length === 1))
  one.answer = 200
  await d.pay(all[0].order_id)
  await until('still told', () => one.of(all[0].order_id).length === 2)
  assert.deepEqual((await endpoints()).map(e => [e.url, e.status]), [[shop.url, 'enabled']])

  // a page, too; and what is wrong is told
  const page = await charge({ 'X-Override-Notification': two.url }, '/snap/v1/transactions')
  assert.equal(page.status, 201)
  for (const header of ['ftp://shop.example/', 'nowhere', 'http://169.254.169.254/latest', `${one.url},${one.url}?2,${one.url}?3,${one.url}?4`, 'http://127.0.0.1:9/' + 'x'.repeat(600)]) {
    assert.equal((await charge({ 'X-Append-Notification': header })).status_code, '400', header)
  }
  await d.s.stop()
})

test('a host that payments name and that hangs holds up no other that they name', async () => {
  const d = await Door.start({ env: { PAYMENT_WEBHOOK_TIMEOUT: '2s' } }), one = await receiver()
  let hung = 0
  const server = http.createServer(() => { hung++ })
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve))
  shops.push(server)
  const hanging = `http://127.0.0.1:${server.address().port}`
  const charge = url => d.s.post('/v2/charge', { payment_type: 'bank_transfer', transaction_details: { order_id: d.order(), gross_amount: 44000 }, bank_transfer: { bank: 'bca' } },
    { headers: { ...basic(KEY), 'X-Append-Notification': url } })
  for (let n = 0; n < 60; n++) assert.equal((await charge(`${hanging}/${n}`)).json().status_code, '201')
  await charge(one.url)
  await until('the other', () => one.came.length === 1)
  assert.ok(hung <= 16, `${hung} of 60 were tried before it`)
  await d.s.logged('webhook_failed', l => /has not answered others/.test(l.error) && l.next_try_in_s > 0)
  // it is tried still, by one, and once it answers all of them go
  const before = hung
  await d.clock('10m')
  await until('tried again', () => hung > before)
  server.removeAllListeners('request')
  const heard = new Set()
  server.on('request', (req, res) => { heard.add(req.url); res.end() })
  await until('all of them', async () => { await d.clock('1h'); return heard.size === 60 }, 60000)
  await d.s.stop()
})

test('of what did not come by this door the shop hears nothing', async () => {
  const d = await Door.start(), shop = await receiver()
  await listen(d, shop.url)
  const order_id = d.order()
  const r = await d.s.post('/v1/payments', { order_id, amount: 44000, method: 'qris' }, { headers: basic(KEY) })
  assert.equal(r.status, 201, r.body)
  await d.pay(order_id)
  const t = await d.va('bca')
  await d.pay(t.order_id)
  await until('its own', () => shop.of(t.order_id).length === 2)
  await d.clock('1m')
  assert.deepEqual(shop.of(order_id), [])
  await d.s.stop()
})

test('what is not known yet waits in the queue, and is in nobody\'s way', async () => {
  const d = await Door.start(), shop = await receiver()
  await listen(d, shop.url)
  const ready = await d.va('bca')
  const count = 10 // more than are in flight at once
  await d.s.post('/sandbox/midtrans/_control', { next: 'slow', count })
  const slow = Array.from({ length: count }, () => d.charge('qris'))
  await until('they are on disk', async () => (await d.s.get('/v1/payments?limit=100', { headers: basic(KEY) })).json().data.length === count + 1)
  const began = Date.now()
  await d.pay(ready.order_id)
  await until('settlement', () => shop.of(ready.order_id).some(n => n.transaction_status === 'settlement'))
  assert.ok(Date.now() - began < 4000, `${Date.now() - began} ms`)
  await d.clock('10s')
  const made = await Promise.all(slow)
  const pending = () => made.flatMap(t => shop.of(t.order_id))
  await until('pending', () => pending().length === count)
  assert.ok(pending().every(n => n.transaction_status === 'pending' && n.actions), JSON.stringify(pending()))
  await d.s.stop()
})
