// The demo wallet is told what to do: a person who pays what waits, and each way to misbehave that makes sense for a
// wallet without callbacks. What is ordered is kept over a restart, shared by workers, and used up once.
import { test } from 'node:test'
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { createHmac } from 'node:crypto'
import { temporary } from './luwak.mjs'
import { Server } from './server.mjs'

const env = { DEMO_KEY: 'the-key', LUWAK_CREATE_WAIT: '2s' }
const control = (s, body) => s.post('/sandbox/demo/_control', body)
const create = (s, reference, phone = '081200001234') =>
  s.post('/v1/operations', { channel: 'demo_wallet', reference, input: { amount: 25000, phone } })
const books = (s, reference) => s.get(`/sandbox/demo/v1/charges/${reference}`,
  { headers: { 'x-signature': createHmac('sha256', env.DEMO_KEY).update(reference).digest('hex') } })
const status = async (s, id) => (await s.get(`/v1/operations/${id}`)).json().status

test('what waits is paid by a person, once', async () => {
  const s = await Server.start({ env })
  const ids = {}
  for (const ref of ['w-1', 'w-2']) {
    const r = await create(s, ref, '081200001111')
    assert.equal(r.json().status, 'processing', r.body)
    ids[ref] = r.json().id
  }
  assert.match((await s.get('/sandbox/demo/')).body, /w-1/)
  const short = await control(s, { pay: 'w-1', amount: 24000 })
  assert.deepEqual([short.status, short.json().param], [400, 'amount'])
  assert.equal((await control(s, { pay: 'w-1', amount: 25000 })).json().status, 'PAID')
  assert.equal((await control(s, { pay: 'dw_w-2' })).json().reference, 'w-2', "by the wallet's own id")
  assert.equal((await control(s, { pay: 'w-1' })).status, 409, 'it is paid')
  const none = await control(s, { pay: 'nobody' })
  assert.deepEqual([none.status, none.json().param], [400, 'pay'])
  assert.equal((await s.post('/sandbox/_clock', { advance: '10m' })).status, 200)
  for (const ref of ['w-1', 'w-2']) assert.equal(await status(s, ids[ref]), 'success')
  await s.stop()
})

test('it misbehaves once, for what fits, also after a restart', async () => {
  const data = join(temporary(), 'data')
  let s = await Server.start({ data, env, args: ['--workers', '3'] })
  const say = async body => { const r = await control(s, body); assert.equal(r.status, 200, r.body) }
  await say({ next: 'refused', match: { order_id: 'm-2' } })
  await say({ next: 'server_error', count: 2, match: { reference: 'm-3' } })
  assert.equal((await create(s, 'm-1')).json().status, 'success', 'another one')
  await s.kill() // orders are on disk
  s = await Server.start({ dir: s.dir, data, env, args: ['--workers', '3'] })
  const refused = (await create(s, 'm-2')).json()
  assert.equal(refused.status, 'failed')
  assert.equal(refused.result.category, 'INSUFFICIENT_BALANCE')
  assert.equal((await books(s, 'm-2')).json().status, 'REFUSED', 'as one without balance: it debits nothing, and stays')

  const broken = (await create(s, 'm-3')).json() // one for the charge, one for this:
  assert.equal(broken.status, 'unknown')
  assert.equal((await books(s, 'm-3')).status, 500)
  assert.equal((await books(s, 'm-3')).status, 404, 'used up, and it did nothing')

  await say({ next: 'rubbish' })
  const rubbish = (await create(s, 'm-4')).json()
  assert.equal(rubbish.status, 'unknown')
  assert.equal((await books(s, 'm-4')).json().status, 'PAID', 'it did it')

  for (const [word, ref, did] of [['timeout_before_debit', 'm-5', false], ['timeout_after_debit', 'm-6', true]]) {
    await say({ next: word })
    const r = (await create(s, ref)).json()
    assert.ok(['sending', 'unknown'].includes(r.status), `${word}: ${r.status}`)
    assert.equal((await books(s, ref)).status, did ? 200 : 404, word)
  }

  await say({ next: 'maintenance' })
  for (const ref of ['m-7', 'm-8']) assert.equal((await create(s, ref)).json().status, 'failed', 'until reset')
  await say({ next: 'reset' })
  assert.equal((await create(s, 'm-9')).json().status, 'success')
  await s.kill()
})

test('words that make no sense for a wallet without callbacks are refused, and so is rubbish', async () => {
  const s = await Server.start({ env })
  for (const word of ['late', 'duplicate', 'reorder', 'short', 'over', 'wrong_signature', 'deny_after_settlement']) {
    const r = await control(s, { next: word })
    assert.equal(r.status, 400, word)
    assert.equal(r.json().param, 'next')
    assert.match(r.json().detail, new RegExp(`${word} makes no sense here; expected one of maintenance, refused, reset, rubbish`))
  }
  for (const [body, param] of [[{ next: 'dance' }, 'next'], [{}, 'next'], [{ next: 'slow', pay: 'x' }, 'pay'], [{ next: 'slow', count: 0 }, 'count'],
    [{ next: 'slow', match: { phone: '1' } }, 'match.phone'], [{ nxt: 'slow' }, 'nxt']]) {
    const r = await control(s, body)
    assert.deepEqual([r.status, r.json().param], [400, param], JSON.stringify(body))
  }
  assert.equal((await create(s, 'ok')).json().status, 'success', 'nothing was ordered')
  await s.stop()
})
