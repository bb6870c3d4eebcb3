// A channel is added while the server runs, from examples/, and paid with: no restart, no setting, and
// nothing but its own files.
import { test } from 'node:test'
import assert from 'node:assert/strict'
import { cpSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT, luwak, temporary } from './luwak.mjs'
import { Server, until } from './server.mjs'

const DEMO = { authorization: 'Basic ' + Buffer.from('sk_test_demo:').toString('base64') }
const EXAMPLE = join(ROOT, 'examples/acme_retail')
const order = (order_id, amount = 50000) => ({ order_id, amount, method: 'retail', bank: 'acme' })

test('copied in, paid with, taken away', async () => {
  const dir = join(temporary(), 'root')
  for (const part of ['channels', 'rules', 'scripts']) cpSync(join(ROOT, part), join(dir, part), { recursive: true })
  const s = await Server.start({ dir })
  const create = body => s.post('/v1/payments', body, { headers: DEMO })
  const names = async () => (await s.get('/v1/channels', { headers: DEMO })).json().data.map(c => c.name)
  const shown = async id => (await s.get(`/v1/payments/${id}`, { headers: DEMO })).json()
  assert.equal((await create(order('a-0'))).status, 400, 'nobody serves it yet')
  assert.ok(readFileSync(join(EXAMPLE, 'channels/acme_retail.lua'), 'utf8').split('\n').length <= 50)

  cpSync(EXAMPLE, dir, { recursive: true })
  await until('the channel', async () => (await names()).includes('acme_retail'), 5000)
  await s.logged('script_live', l => l.path === 'scripts/sandbox/acme.lua')
  const r = await create(order('a-1'))
  assert.equal(r.status, 201, r.body)
  const p = r.json()
  assert.equal(p.status, 'pending')
  assert.deepEqual(p.instructions, { type: 'retail', outlet: 'Acme Shop', payment_code: 'AC00000001' })
  assert.deepEqual(p.attempts.map(a => [a.channel, a.reference, a.status]), [['acme_retail', 'a-1', 'pending']])
  const paid = await s.post('/sandbox/acme/_control', { pay: p.id })
  assert.deepEqual(paid.json().callbacks.map(c => c.status), [200], paid.body)
  assert.equal((await shown(p.id)).status, 'success')
  assert.equal((await shown(p.id)).amount_paid, 50000)
  const events = (await s.get(`/v1/payments/${p.id}/events`, { headers: DEMO })).json().data.map(e => e.type)
  assert.deepEqual(events, ['payment.created', 'payment.succeeded'])
  assert.equal((await s.get('/v1/balance', { headers: DEMO })).json().pending, 50000)
  assert.equal((await create(order('a-2', 9999))).json().code, 'LIMIT_EXCEEDED')
  assert.equal((await s.post('/callbacks/acme', { id: 'a-1', paid: 1 })).status, 401)

  const open = (await create(order('a-3'))).json()
  rmSync(join(dir, 'channels/acme_retail.lua'))
  await until('it is gone', async () => !(await names()).includes('acme_retail'), 5000)
  assert.equal((await create(order('a-4'))).status, 400)
  assert.equal((await s.post('/sandbox/acme/_control', { pay: open.id })).status, 200)
  assert.equal((await shown(open.id)).status, 'success', 'what is open is served all the same')
  await s.stop()
})

test('it passes the suite that every channel passes', () => {
  const dir = join(temporary(), 'root')
  for (const part of ['channels', 'rules', 'scripts']) cpSync(join(ROOT, part), join(dir, part), { recursive: true })
  cpSync(EXAMPLE, dir, { recursive: true })
  const r = luwak(['conform', 'acme_retail', '--root', dir, '--evidence', join(dir, 'evidence')], { cwd: dir, timeout: 600000 })
  assert.equal(r.code, 0, r.out + r.err)
  assert.match(r.out, /^ {2}passed +expiry$/m)
  assert.match(r.out, /^ {2}passed +bad bodies$/m)
})
