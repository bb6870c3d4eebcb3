// What money costs when it comes: asked of the fee rule then, whoever told of the money; and where that rule fails.
import { test } from 'node:test'
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { LUWAK, cleanEnv } from './luwak.mjs'
import { Server, root } from './server.mjs'

const DEMO = { authorization: 'Basic ' + Buffer.from('sk_test_demo:').toString('base64') }
const RULE = fee => `return { api = 1, kind = "fee", priority = 1, fee = function(p) ${fee} end }`
const flat = amount => RULE(`return { bearer = "merchant", lines = { { "flat", ${amount} + #p.channel } } }`)

async function start () {
  const dir = root('channels', 'rules', 'scripts'), file = join(dir, 'rules/fees/flat.lua')
  writeFileSync(file, flat(1000))
  const s = await Server.start({ dir })
  let live = 0
  s.rule = async text => {
    writeFileSync(file, text)
    live++
    await s.logged('script_live', () => s.events('script_live').filter(l => l.path === 'rules/fees/flat.lua').length === live)
  }
  s.create = async (order_id, way) => (await s.post('/v1/payments', { order_id, amount: 50000, ...way }, { headers: DEMO })).json()
  s.act = (p, what) => s.post(`/v1/payments/${p.id}/${what}`, undefined, { headers: DEMO })
  s.payment = async p => (await s.get(`/v1/payments/${p.id}`, { headers: DEMO })).json()
  s.control = async (provider, body) => assert.equal((await s.post(`/sandbox/${provider}/_control`, body)).status, 200)
  s.balance = async () => (await s.get('/v1/balance', { headers: DEMO })).json()
  return s
}
async function stopped (s) {
  await s.stop()
  const r = spawnSync(LUWAK, ['verify', '--simulated', '--data', s.data], { env: cleanEnv({}), encoding: 'utf8' })
  assert.equal(r.status, 0, r.stdout + r.stderr)
}
const VA = { method: 'virtual_account', bank: 'bca' }

test('a fee rule that fails when money comes: it is booked, costs nothing but a line that says so, and an operator hears', async () => {
  const s = await start()
  const [told, asked] = [await s.create('u-1', VA), await s.create('u-2', VA)]
  assert.equal(told.fee.total, 1000 + told.channel.length)
  await s.rule(RULE('error "no"'))
  await s.control('midtrans', { pay: told.id })
  await s.control('midtrans', { next: 'wrong_signature' }) // so that only asking finds it
  await s.control('midtrans', { pay: asked.id })
  assert.equal((await s.act(asked, 'sync')).json().status, 'success')
  for (const p of [told, asked]) {
    const paid = await s.payment(p)
    assert.equal(paid.status, 'success')
    assert.deepEqual(paid.fee, { total: 0, bearer: 'merchant', lines: [{ name: 'unpriced', amount: 0 }] })
    await s.logged('payment_unpriced', l => l.payment === p.id)
  }
  assert.equal((await s.balance()).pending, 100000)
  await stopped(s)
})

test('the fee is of the day the money came, and of the way that brought it, where asking or the policy finds it', async () => {
  const s = await start()
  const [asked, late] = [await s.create('d-1', VA), await s.create('d-2', { method: 'ewallet', bank: 'dana' })]
  assert.equal((await s.act(late, 'cancel')).json().status, 'cancelled')
  await s.rule(flat(2000))
  await s.control('midtrans', { next: 'wrong_signature' })
  await s.control('midtrans', { pay: asked.id })
  assert.equal((await s.act(asked, 'sync')).json().status, 'success')
  await s.control('xendit', { pay: late.id })
  for (const [p, channel] of [[asked, 'midtrans_bca_va'], [late, 'xendit_dana']]) {
    const paid = await s.payment(p)
    assert.equal(paid.status, 'success')
    assert.deepEqual(paid.fee.lines, [{ name: 'flat', amount: 2000 + channel.length }])
  }
  await stopped(s)
})
