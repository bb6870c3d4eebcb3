// What an operator asks of the books: explain, backtest, reconcile, statements.
import { test } from 'node:test'
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { luwak, temporary } from './luwak.mjs'
import { Server, root } from './server.mjs'

const DEMO = { authorization: 'Basic ' + Buffer.from('sk_test_demo:').toString('base64') }
const shop = () => root('channels', 'rules', 'scripts')
const tell = (s, ...args) => luwak([...args, '--simulated', '--data', s.data, '--root', s.dir])

async function pay (s, order, { bank = 'bca', amount = 150000, provider = 'midtrans', ...more } = {}) {
  const r = await s.post('/v1/payments', { order_id: order, amount, method: 'virtual_account', bank, ...more }, { headers: DEMO })
  assert.equal(r.status, 201, r.body)
  const p = r.json()
  assert.equal((await s.post(`/sandbox/${provider}/_control`, { pay: p.id })).status, 200)
  return p
}

test('explain tells a payment from its request to its refund, beside a server and without', async () => {
  const s = await Server.start({ dir: shop() })
  const p = await pay(s, 'life-1', { customer: { name: 'Budi Santoso', email: 'budi@shop.example' } })
  const told = tell(s, 'explain', p.id)
  assert.equal(told.code, 0, told.err)
  for (const piece of [/SUCCESS {2}Rp150,000/, /customer +per_/, /transaction +Rp4,000/, /ppn +Rp440/, /rule @[0-9a-f]{12}/,
    /request +order life-1/, /attempt +att_\w+ through channels\/midtrans_bca_va\.lua @[0-9a-f]{12}/, /attempt +att_\w+ is success/,
    /callback +from midtrans, applied/, /money +Rp150,000 came to midtrans \(due\)/,
    /event +#1 payment\.created/, /event +#2 payment\.succeeded/,
    /ledger +#\d+ provider_receivable:midtrans -> merchant_payable\.pending:mer_\w+ Rp150,000 \(payment\)/,
    /-> output_vat Rp440/, /Still due\n.*Rp145,560 becomes available/]) assert.match(told.out, piece)
  assert.ok(told.out.indexOf('payment.created') < told.out.indexOf('callback') && told.out.indexOf('callback') < told.out.indexOf('payment.succeeded'))
  assert.doesNotMatch(told.out, /Budi|budi@/, 'customers by id only')
  const whole = JSON.parse(tell(s, 'explain', p.id, '--json').out)
  assert.equal(whole.payment.id, p.id)
  assert.equal(whole.payment.amount_paid, 150000)
  assert.deepEqual(whole.events.map(e => e.type), ['payment.created', 'payment.succeeded'])
  assert.equal(whole.operations[0].version, p.scripts.channel)
  assert.equal(whole.entries.filter(e => e.kind === 'fee').length, 1)
  assert.doesNotMatch(JSON.stringify(whole), /Budi/)
  assert.match(tell(s, 'explain', 'life-1').out, new RegExp(p.id), 'by its order id')
  const none = tell(s, 'explain', 'pay_nobody')
  assert.equal(none.code, 1)
  assert.match(none.err, /^luwak explain: no payment, order, reference, attempt or refund is pay_nobody\n$/)
  await s.stop()
  assert.equal(tell(s, 'explain', p.id).out, told.out, 'the same without a server')
})

test('explain makes no database where there is none', () => {
  const s = { data: join(temporary(), 'data'), dir: shop() }
  const r = tell(s, 'explain', 'pay_1')
  assert.equal(r.code, 1)
  assert.match(r.err, /there is no database in/)
})
