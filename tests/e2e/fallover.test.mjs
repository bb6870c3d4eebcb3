// Midtrans cannot make a virtual account, Xendit's takes over: one payment, one amount. When the first was
// made after all and somebody pays it, its money is caught, and the other withdrawn; and when both are paid, nobody keeps the second.
import { test } from 'node:test'
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Server, root, until } from './server.mjs'

// A Midtrans that has no numbers (505), and yet knows of a transaction that somebody paid.
const MIDTRANS = `return { api = 1, provider = "midtrans", routes = {
  ["POST /v2/charge"] = function() return reply(200, { status_code = "505", status_message = "The system failed to create the VA number", id = crypto.uuid() }) end,
  ["GET /v2/:id/status"] = function(ctx)
    local told = ctx.store.get "told"
    return reply(200, told or { status_code = "404", status_message = "Transaction doesn't exist." })
  end,
  ["POST /told"] = function(ctx, request) ctx.store.put("told", request.body) return reply(200, {}) end,
} }`

const KEY = { headers: { authorization: 'Basic ' + Buffer.from('sk_test_demo:').toString('base64') } }

const XENDIT = { headers: { authorization: 'Basic ' + Buffer.from('xnd_development_demo:').toString('base64') } }

async function start () {
  const dir = root('channels', 'rules', 'scripts')
  writeFileSync(join(dir, 'scripts/sandbox/midtrans.lua'), MIDTRANS)
  return Server.start({ dir, args: ['--workers', '1'] })
}
const create = async (s, order_id, more) => {
  const r = await s.post('/v1/payments', { order_id, amount: 150000, method: 'virtual_account', bank: 'bca', ...more }, KEY)
  assert.equal(r.status, 201, r.body)
  return r.json()
}
const seen = async (s, id) => (await s.get('/v1/payments/' + id, KEY)).json()

async function midtransTells (s, p) {
  const order_id = p.attempts[0].reference
  const tx = { transaction_id: 'tx-' + order_id, order_id, gross_amount: '150000.00', status_code: '200', transaction_status: 'settlement', fraud_status: 'accept',
    payment_type: 'bank_transfer', transaction_time: '2026-01-31 10:00:00', custom_field1: p.id }
  tx.signature_key = createHash('sha512').update(order_id + '200150000.00SB-Mid-server-demo').digest('hex')
  await s.post('/sandbox/midtrans/told', tx)
  const r = await s.post('/callbacks/midtrans', tx)
  assert.equal(r.status, 200, r.body)
}

test('one payment, one amount, one story', async () => {
  const s = await start()
  const p = await create(s, 'over-1')
  assert.equal(p.status, 'pending')
  assert.equal(p.amount_due, 150000)
  assert.deepEqual(p.attempts.map(a => [a.channel, a.status]), [['midtrans_bca_va', 'failed'], ['xendit_bca_va', 'pending']])
  assert.equal(p.channel, 'xendit_bca_va')
  assert.match(p.instructions.va_number, /^10766\d{11}$/)
  const twin = await s.post('/v1/payments', { order_id: 'over-1', amount: 150000, method: 'virtual_account', bank: 'bca' }, KEY)
  assert.equal(twin.json().id, p.id)
  const paid = await s.post('/sandbox/xendit/_control', { pay: p.id })
  assert.equal(paid.status, 200, paid.body)
  const done = await seen(s, p.id)
  assert.deepEqual([done.status, done.amount_paid], ['success', 150000])

  // without a bank any account will do, and here only Xendit's are left
  const any = await create(s, 'over-2', { bank: undefined })
  assert.match(any.channel, /^xendit_/)
  await s.stop()
})

test('the first answers late after all: its money is caught, and the second does not stay', async () => {
  const s = await start()
  const p = await create(s, 'over-3')
  await midtransTells(s, p)
  const caught = await seen(s, p.id)
  assert.deepEqual([caught.status, caught.amount_paid], ['success', 150000])
  // what the payer was shown is withdrawn; where that failed, he can pay it as well
  const path = `/sandbox/xendit/payment_requests?reference_id=${p.attempts[1].reference}`
  await until('the second is withdrawn', async () => (await s.get(path, XENDIT)).json().data[0].payment_method.status === 'EXPIRED')
  assert.equal((await s.post('/sandbox/xendit/_control', { pay: p.attempts[1].reference })).status, 409)
  await s.stop()
})

test('both are paid: the policy acts', async () => {
  const s = await start()
  const p = await create(s, 'over-4')
  assert.equal((await s.post('/sandbox/xendit/_control', { next: 'server_error' })).status, 200)
  await midtransTells(s, p)
  assert.equal((await s.post('/sandbox/xendit/_control', { pay: p.attempts[1].reference })).status, 200)
  const both = await seen(s, p.id)
  assert.deepEqual([both.status, both.amount_paid], ['success', 150000], 'nobody owes it twice')
  await until('the policy about the second', async () => {
    const events = (await s.get('/v1/events?limit=100', KEY)).json().data
    return events.some(e => e.type === 'payment.overpaid' && e.data.object.id === p.id)
  })
  await s.stop()
})
