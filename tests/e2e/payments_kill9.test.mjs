// kill -9 on the real binary while payments are made and paid, judged by the books of both sides: what
// was answered is there, the wallet debited no order twice, and once all was asked both say the same.
// TEST_ROUNDS kills (40; `make faults`: 100).
import { test } from 'node:test'
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { luwak, ROOT, temporary } from './luwak.mjs'
import { Server, sleep, until } from './server.mjs'

const ROUNDS = Math.min(100, Number(process.env.TEST_ROUNDS ?? 40))
const DEMO = { authorization: 'Basic ' + Buffer.from('sk_test_demo:').toString('base64') }
const WAYS = [
  { method: 'virtual_account', bank: 'self' },
  { method: 'virtual_account', bank: 'bca' },
  { method: 'ewallet', channel: 'demo_wallet', options: { phone: '081200001234' } }
]
const get = async (s, path) => (await s.get(path, { headers: DEMO })).json()

async function load (s, round, acked) {
  const shopper = async w => {
    for (let n = 0; !s.over; n++) {
      const order = `k${round}-${w}-${n}`
      const r = await s.post('/v1/payments', { order_id: order, amount: 20000 + n, ...WAYS[n % WAYS.length] }, { headers: DEMO })
      if (r.status === 404) continue // the scripts are live a moment after the port is
      assert.ok([201, 503].includes(r.status), r.body)
      if (r.status !== 201) continue
      acked.set(r.json().id, order)
      if (n % WAYS.length < 2) await s.post(`/sandbox/${n % WAYS.length ? 'midtrans' : 'self'}/_control`, { pay: order })
    }
  }
  await Promise.all(Array.from({ length: 6 }, (_, w) => shopper(w).catch(e => { if (e instanceof assert.AssertionError) throw e })))
}

test(`${ROUNDS} kills under payments: the books of both sides agree`, { timeout: 36e6 }, async t => {
  const data = join(temporary(), 'data')
  const acked = new Map()
  const start = () => Server.start({ dir: ROOT, data, args: ['--workers', '2'] })
  for (let round = 0; round < ROUNDS; round++) {
    const s = await start()
    const dead = sleep(50 + Math.random() * 400).then(() => s.kill())
    await Promise.all([load(s, round, acked), dead])
    const verified = luwak(['verify', '--simulated', '--data', data])
    assert.equal(verified.code, 0, verified.out + verified.err)
  }
  const s = await start()
  await until('scripts', async () => (await s.get('/v1/balance', { headers: DEMO })).status === 200)
  assert.equal((await s.post('/sandbox/_clock', { advance: '3h' })).status, 200)
  let paid = 0
  for (const [id, order] of acked) {
    const p = await get(s, `/v1/payments/${id}`)
    assert.equal(p.order_id, order, 'acknowledged, and not there')
    const theirs = await s.get(`/sandbox/midtrans/v2/${p.attempts[0].reference}/status`, { headers: { authorization: 'Basic ' + Buffer.from('SB-Mid-server-demo:').toString('base64') } })
    if (p.bank === 'bca') assert.equal(theirs.json().transaction_status === 'settlement', p.status === 'success', `${order}: ${theirs.body} ${p.status}`)
    if (p.channel === 'demo_wallet') assert.equal(p.status, 'success', order)
    assert.ok(p.amount_paid === 0 || p.amount_paid === p.amount)
    if (p.status === 'success') paid++
  }
  t.diagnostic(`${ROUNDS} kills, ${acked.size} payments acknowledged, ${paid} paid`)
  assert.ok(paid > 0)
  await s.stop()
  assert.equal(luwak(['verify', '--simulated', '--data', data]).code, 0)
})
