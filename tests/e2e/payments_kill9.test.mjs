// kill -9 on the real binary while payments are made and paid, judged by the books of both sides. After
// each kill `luwak verify` finds nothing; once all was asked, reference by reference, what the provider's
// simulator was paid is what we have booked, in amounts, and what the ledger says it owes; what was answered
// is there and was paid as it says; the wallet debited no order twice.
// TEST_ROUNDS kills (40; `make faults`: 100).
import { test } from 'node:test'
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
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
const PAYER = ['self', 'midtrans'] // a wallet needs none

// Both books, as they lie on the disk.
const BOOKS = `
local operator = require "operator_tool"
local QUERIES = {
  theirs = [[SELECT key, CAST(value AS TEXT) AS value FROM kv WHERE key GLOB 'sandbox/midtrans:tx *'
    OR key GLOB 'sandbox/demo:charge *' OR key GLOB 'sandbox/self:money *']],
  movements = [[SELECT m.account, m.money_id, m.amount, o.reference FROM movement m LEFT JOIN operation o ON o.id = m.operation]],
  payments = [[SELECT p.id, p.order_id, p.status, p.amount_due, p.amount_paid, p.received, o.account, o.reference
    FROM payment p JOIN operation o ON o.id = p.attempt]],
  ledger = [[SELECT name, debits - credits AS owes FROM ledger_account WHERE name GLOB 'provider_receivable:*']],
}
return { api = 1, about = "Both books.", run = function(_, say)
  for name, sql in sorted(QUERIES) do
    for _, row in ipairs(operator.select(sql)) do
      row.of = name
      say(json.encode(row))
    end
  end
end }
`
function books (data) {
  const file = join(temporary(), 'books.lua')
  writeFileSync(file, BOOKS)
  const r = luwak(['run', file, '--simulated', '--data', data, '--root', ROOT])
  assert.equal(r.code, 0, r.err)
  const all = { theirs: [], movements: [], payments: [], ledger: [] }
  for (const line of r.out.trim().split('\n')) {
    const row = JSON.parse(line)
    all[row.of].push(row)
  }
  return all
}

// "account reference" -> what came under it. The bank of our own numbers knows no reference of ours: there
// each transfer stands for itself.
const sums = list => {
  const sum = new Map()
  for (const [key, amount] of list) if (amount) sum.set(key, (sum.get(key) ?? 0) + amount)
  return Object.fromEntries([...sum].sort())
}
const paidThere = ({ key, value }) => {
  const doc = JSON.parse(value)
  if (key.startsWith('sandbox/midtrans:')) return [`midtrans ${doc.order_id}`, doc.paid]
  if (key.startsWith('sandbox/self:')) return [`self ${doc.money_id}`, doc.amount]
  return [`demo ${doc.reference}`, doc.status === 'PAID' ? doc.amount : 0]
}
const bookedHere = m => [`${m.account} ${m.account === 'self' ? m.money_id : m.reference}`, m.amount]

async function load (s, round, acked) {
  const shopper = async w => {
    for (let n = 0; !s.over; n++) {
      const order = `k${round}-${w}-${n}`
      const amount = 20000 + Math.floor(Math.random() * 1e6)
      const r = await s.post('/v1/payments', { order_id: order, amount, ...WAYS[n % WAYS.length] }, { headers: DEMO })
      if (r.status === 404) continue // the scripts are live a moment after the port is
      assert.ok([201, 503].includes(r.status), r.body)
      if (r.status !== 201) continue
      acked.set(r.json().id, { order, amount, status: r.json().status })
      const payer = PAYER[n % WAYS.length]
      if (payer) await s.post(`/sandbox/${payer}/_control`, { pay: order })
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
    const before = acked.size
    const dead = (async () => { // amid payments; each fourth time while it may still be starting
      if (round % 4 !== 3) await until('a payment', () => acked.size > before)
      await sleep(20 + Math.random() * 400)
      await s.kill()
    })()
    await Promise.all([load(s, round, acked), dead])
    const verified = luwak(['verify', '--simulated', '--data', data])
    assert.equal(verified.code, 0, verified.out + verified.err)
  }
  const s = await start()
  await until('scripts', async () => (await s.get('/v1/balance', { headers: DEMO })).status === 200)
  assert.equal((await s.post('/sandbox/_clock', { advance: '12h' }, { timeout: 600000 })).status, 200)
  await s.stop()
  const { theirs, movements, payments, ledger } = books(data)

  const there = sums(theirs.map(paidThere)), here = sums(movements.map(bookedHere))
  assert.deepEqual(here, there)
  const owed = sums(Object.entries(there).map(([key, amount]) => [`provider_receivable:${key.split(' ')[0]}`, amount]))
  assert.deepEqual(sums(ledger.map(a => [a.name, a.owes])), owed)

  const byId = new Map(payments.map(p => [p.id, p]))
  for (const [id, { order, amount, status }] of acked) {
    const p = byId.get(id)
    assert.ok(p, `${order} was acknowledged, and is not there`)
    assert.equal(`${p.order_id} ${p.amount_due}`, `${order} ${amount}`)
    if (status === 'success') assert.equal(p.status, 'success', order)
  }
  const debits = sums(theirs.filter(b => b.key.startsWith('sandbox/demo:')).map(paidThere))
  const orders = new Set()
  for (const p of payments) {
    assert.equal(p.amount_paid, p.status === 'success' ? p.amount_due : 0, p.order_id)
    if (p.account !== 'self') assert.equal(there[`${p.account} ${p.reference}`] ?? 0, p.received, p.order_id)
    if (p.account !== 'demo') continue
    if (!debits[`demo ${p.reference}`]) continue
    assert.ok(!orders.has(p.order_id), `${p.order_id} was debited twice`)
    orders.add(p.order_id)
  }
  assert.equal(orders.size, Object.keys(debits).length, 'a debit that belongs to no order')
  const paid = payments.filter(p => p.status === 'success').length
  t.diagnostic(`${ROUNDS} kills, ${acked.size} payments acknowledged, ${paid} of ${payments.length} paid, ${Object.keys(there).length} transfers`)
  assert.ok(paid > ROUNDS)
  assert.equal(luwak(['verify', '--simulated', '--data', data]).code, 0)
})
