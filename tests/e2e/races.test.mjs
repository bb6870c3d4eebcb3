// Things that happen to one payment at the same moment, on two workers: each ends in a state that the
// table allows, the books agree, and `luwak verify` finds nothing.
import { test } from 'node:test'
import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { luwak, ROOT } from './luwak.mjs'
import { Server } from './server.mjs'

const KEY = 'the-banks-key'
const DEMO = { authorization: 'Basic ' + Buffer.from('sk_test_demo:').toString('base64') }
const DESTINATION = { bank: 'bca', account_number: '1234567890', account_holder: 'Budi' }
const AMOUNT = 150000
const post = (s, path, body, headers = {}) => s.post(path, body, { headers: { ...DEMO, ...headers } })
const get = async (s, path) => (await s.get(path, { headers: DEMO })).json()
const many = (n, what) => Promise.all(Array.from({ length: n }, (_, i) => what(i)))
const refund = (s, id, i, amount) => post(s, `/v1/payments/${id}/refunds`, { amount, destination: DESTINATION }, { 'idempotency-key': `rf-${id}-${i}` })

async function create (s, order_id, more = {}) {
  const r = await post(s, '/v1/payments', { order_id, amount: AMOUNT, method: 'virtual_account', bank: 'self', ...more })
  assert.equal(r.status, 201, r.body)
  return r.json()
}

// What the bank tells us of a transfer.
function tell (s, p, money_id, status = 'paid') {
  const text = JSON.stringify({ va_number: p.instructions.va_number, amount: AMOUNT, money_id, paid_at: '2026-01-05T10:00:00+07:00', status })
  return s.post('/callbacks/self', text, { headers: { 'content-type': 'application/json', 'x-signature': createHmac('sha512', KEY).update(text).digest('hex') } })
}

const fine = answers => answers.forEach(r => assert.ok(r.status < 500, `${r.status} ${r.body}`))

// A server of two workers; at its end the file, the ledger and the balance are looked at.
function race (name, run) {
  test(name, async () => {
    const s = await Server.start({ dir: ROOT, args: ['--workers', '2'], env: { SELF_KEY: KEY } })
    const probe = await s.get('/v1/balance', { headers: DEMO })
    assert.equal(probe.status, 200, probe.body)
    await run(s)
    const moves = (await get(s, '/v1/balance/mutations?limit=100')).data
    const { available, pending, held } = await get(s, '/v1/balance')
    assert.equal(moves[0].balance_after, available + pending + held)
    await s.stop()
    const verified = luwak(['verify', '--simulated', '--data', s.data])
    assert.equal(verified.code, 0, verified.out + verified.err)
  })
}

race('50 refunds at once of a payment that allows one: one refund', async s => {
  const p = await create(s, 'refunds')
  await tell(s, p, 'm-1')
  const all = await many(50, i => refund(s, p.id, i, AMOUNT))
  fine(all)
  assert.equal(all.filter(r => r.status === 201).length, 1, JSON.stringify(all.map(r => r.status)))
  assert.equal((await get(s, `/v1/payments/${p.id}/refunds`)).data.length, 1)
})

race('the same callback 100 times at once: one settlement', async s => {
  const p = await create(s, 'callbacks')
  const all = await many(100, () => tell(s, p, 'm-1'))
  assert.ok(all.every(r => r.status === 200), JSON.stringify(all.map(r => r.status)))
  assert.equal((await get(s, `/v1/payments/${p.id}`)).amount_paid, AMOUNT)
  assert.deepEqual((await get(s, `/v1/payments/${p.id}/events`)).data.map(e => e.type), ['payment.created', 'payment.succeeded'])
})

race('two transfers to one number at once: one pays, the other is second', async s => {
  for (let i = 0; i < 5; i++) {
    const p = await create(s, `two-${i}`)
    const all = await many(2, n => tell(s, p, `m-${i}-${n}`))
    assert.deepEqual(all.map(r => r.json().status).sort(), ['applied', 'second_payment'])
    assert.equal((await get(s, `/v1/payments/${p.id}`)).amount_paid, AMOUNT)
  }
})

race('two cancels while the provider is slow: one is asked for, the other hears how it stands', async s => {
  const p = await create(s, 'cancels', { bank: 'bca' })
  assert.equal((await post(s, '/sandbox/midtrans/_control', { next: 'slow' })).status, 200)
  const both = [0, 1].map(() => post(s, `/v1/payments/${p.id}/cancel`))
  const first = await Promise.race(both)
  assert.equal(first.status, 200, first.body)
  assert.notEqual(first.json().status, 'cancelled')
  assert.equal((await post(s, '/sandbox/_clock', { advance: '11s' })).status, 200)
  assert.deepEqual((await Promise.all(both)).map(r => r.status), [200, 200])
  assert.equal((await get(s, `/v1/payments/${p.id}`)).status, 'cancelled')
})

race('cancel against paid', async s => {
  for (let i = 0; i < 10; i++) {
    const p = await create(s, `cancel-${i}`)
    const all = await Promise.all([tell(s, p, `m-${i}`), post(s, `/v1/payments/${p.id}/cancel`)])
    fine(all)
    const after = await get(s, `/v1/payments/${p.id}`)
    assert.ok(after.status === 'success' || (after.status === 'cancelled' && after.amount_paid === 0), after.status)
  }
})

race('expiry against paid', async s => {
  const all = await many(10, i => create(s, `expire-${i}`, { expires_in: 60 }))
  const [clock, ...told] = await Promise.all([s.post('/sandbox/_clock', { advance: '40m' }), ...all.map((p, i) => tell(s, p, `m-${i}`))])
  assert.equal(clock.status, 200, clock.body)
  fine(told)
  for (const p of all) {
    const after = await get(s, `/v1/payments/${p.id}`)
    assert.ok(after.status === 'success' || (after.status === 'expired' && after.amount_paid === 0), after.status)
  }
})

race('refund against reversal against a second transfer: no more goes back than came', async s => {
  for (let i = 0; i < 10; i++) {
    const p = await create(s, `back-${i}`)
    await tell(s, p, `m-${i}`)
    const all = await Promise.all([refund(s, p.id, 0, AMOUNT), tell(s, p, `m-${i}`, 'reversed'), refund(s, p.id, 1, 1000), tell(s, p, `n-${i}`)])
    fine(all)
    const after = await get(s, `/v1/payments/${p.id}`)
    assert.equal(after.status, 'success')
    const back = (await get(s, `/v1/payments/${p.id}/refunds`)).data.filter(r => r.status !== 'failed' && !r.movement)
    assert.ok(after.amount_refunded + after.amount_reversed <= AMOUNT, JSON.stringify(after))
    assert.ok(back.length >= 1)
  }
})

// Midtrans tells of the money while the answer to our create is still held back, and while we ask it.
race('the callback before the create answer, and polling beside the callback: booked once', async s => {
  const order = (order_id) => ({ order_id, amount: AMOUNT, method: 'virtual_account', bank: 'bca' })
  await s.post('/sandbox/midtrans/_control', { next: 'timeout_after_debit', match: { order_id: 'early' } })
  const creating = post(s, '/v1/payments', order('early'))
  let paid
  do { paid = await s.post('/sandbox/midtrans/_control', { pay: 'early' }) } while (paid.status === 400)
  assert.equal(paid.status, 200, paid.body)
  const created = await creating
  assert.equal(created.status, 201, created.body)
  const early = await get(s, `/v1/payments/${created.json().id}`)
  assert.equal(early.status, 'success')
  assert.equal(early.amount_paid, AMOUNT)
  for (let i = 0; i < 5; i++) {
    const p = (await post(s, '/v1/payments', order(`poll-${i}`))).json()
    fine(await Promise.all([s.post('/sandbox/midtrans/_control', { pay: `poll-${i}` }), ...Array.from({ length: 4 }, () => post(s, `/v1/payments/${p.id}/sync`))]))
    const after = await get(s, `/v1/payments/${p.id}`)
    assert.equal(after.status, 'success')
    assert.equal(after.amount_paid, AMOUNT)
  }
})

race('a way that is being chosen, against sync and cancel: neither asks its provider for what is only on its way there', async s => {
  const auth = { authorization: 'Basic ' + Buffer.from('SB-Mid-server-demo:').toString('base64') }
  await many(8, async lane => {
    for (let i = 0; i < 8; i++) {
      const p = await (await post(s, '/v1/payments', { order_id: `way-${lane}-${i}`, amount: AMOUNT })).json()
      const choose = way => s.ask('POST', new URL(p.checkout_url).pathname, { body: `way=${way}`, headers: { 'content-type': 'application/x-www-form-urlencoded' } })
      await choose('virtual_account.bca')
      const asked = Array.from({ length: 4 }, () => post(s, `/v1/payments/${p.id}/sync`))
      const all = await Promise.all([choose('ewallet.gopay'), ...asked, ...(i % 2 ? [post(s, `/v1/payments/${p.id}/cancel`)] : []), post(s, `/v1/payments/${p.id}/sync`)])
      fine(all)
      const now = await get(s, `/v1/payments/${p.id}`), last = now.attempts.at(-1)
      const there = await (await s.get(`/sandbox/midtrans/v2/${last.reference}/status`, { headers: auth })).json()
      assert.ok(['pending', 'cancelled'].includes(now.status), now.status)
      assert.equal(last.status, now.status, `the payment and its last way: ${JSON.stringify(now.attempts)}`)
      assert.equal(there.transaction_status, { pending: 'pending', cancelled: 'cancel' }[now.status], JSON.stringify(there))
    }
  })
})
