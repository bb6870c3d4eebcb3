// What is not paid in time expires, whatever the provider of somebody else's payment does: the older ones of a
// provider that cannot tell stand before the others, and keep none of them open.
import { test } from 'node:test'
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Server, root, until } from './server.mjs'

const KEY = { headers: { authorization: 'Basic ' + Buffer.from('sk_test_demo:').toString('base64') } }
// Makes numbers, and fails when it is asked what became of them.
const channel = said => `return { api = 1, title = "Mute", provider = "mute", method = "virtual_account", bank = "mute", effect = "offer", lookup = "ours",
  limits = { min = 1 }, expires = { default = "1h" }, hosts = { simulated = "http://mute.test" },
  create = function(ctx, op) return pending { va_number = "1" .. op.reference } end,
  inquire = function(ctx, op) ${said} end }`
const OLD = 130 // more than one look takes at a time

test('payments whose provider cannot tell keep nobody else open', async () => {
  const dir = root('channels', 'rules', 'scripts')
  writeFileSync(join(dir, 'channels/mute_va.lua'), channel('error "no word"'))
  const s = await Server.start({ dir, args: ['--workers', '1'] })
  const create = async (order_id, more) => {
    const r = await s.post('/v1/payments', { order_id, amount: 50000, method: 'virtual_account', expires_in: 3600, ...more }, KEY)
    assert.equal(r.status, 201, r.body)
    assert.equal(r.json().status, 'pending', r.body)
    return r.json()
  }
  const status = async p => (await s.get('/v1/payments/' + p.id, KEY)).json().status
  const old = []
  for (let i = 0; i < OLD; i++) old.push(await create('old-' + i, { bank: 'mute' }))
  const own = await create('own', { bank: 'self' }), open = await create('open', { method: undefined })

  assert.equal((await s.post('/sandbox/_clock', { advance: '100m' })).status, 200)
  assert.deepEqual([await status(own), await status(open)], ['expired', 'expired'])
  assert.equal(await status(old[0]), 'pending', 'nobody knows whether it was paid')

  writeFileSync(join(dir, 'channels/mute_va.lua'), channel('return expired {}'))
  await s.logged('script_live', l => l.path === 'channels/mute_va.lua')
  assert.equal((await s.post('/sandbox/_clock', { advance: '3h' })).status, 200)
  for (const p of [old[0], old[OLD / 2], old[OLD - 1]]) await until('expired', async () => await status(p) === 'expired')
  await s.stop()
})
