// Events live for a while: then they go, oldest first, and what is kept has no gap.
import { test } from 'node:test'
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { LUWAK, cleanEnv } from './luwak.mjs'
import { Server, root } from './server.mjs'

const DEMO = { authorization: 'Basic ' + Buffer.from('sk_test_demo:').toString('base64') }
const get = (s, path) => s.get(path, { headers: DEMO })
const post = (s, path, body) => s.post(path, body, { headers: DEMO })

test('old events go, the newest stays, a reader behind is told where to begin, and verify proves the rest', async () => {
  const dir = root('channels/self_va.lua', 'scripts/sandbox/self.lua', 'scripts/lib/simulator.lua', 'scripts/lib/api_query.lua', 'scripts/api/payments.lua',
    'scripts/api/account.lua', 'scripts/api/webhooks.lua', 'scripts/jobs/purge_events.lua')
  const s = await Server.start({ dir })
  const order = i => post(s, '/v1/payments', { order_id: `o-${i}`, amount: 1000 + i, method: 'virtual_account', bank: 'self', expires_in: 15000000 })
  for (let i = 0; i < 250; i++) assert.equal((await order(i)).status, 201)
  assert.equal((await s.post('/sandbox/_clock', { advance: '80d' })).status, 200)
  assert.equal((await order(250)).status, 201)
  assert.equal((await get(s, '/v1/events?after=0')).status, 200, 'eighty days are kept')
  assert.equal((await s.post('/sandbox/_clock', { advance: '12d' })).status, 200)
  const late = await get(s, '/v1/events?after=0&limit=1')
  assert.equal(late.status, 410, late.body)
  assert.equal(late.json().oldest, 251)
  assert.deepEqual((await get(s, '/v1/events?after=250')).json().data.map(e => e.sequence), [251])
  assert.equal((await s.post('/sandbox/_clock', { advance: '200d' })).status, 200)
  assert.equal((await get(s, '/v1/events?after=250')).json().data.length, 1, 'the newest stays')
  assert.equal((await order(251)).status, 201)
  assert.deepEqual((await get(s, '/v1/events?after=250')).json().data.map(e => e.sequence), [251, 252], 'the sequence goes on')
  await s.stop()
  const verify = spawnSync(LUWAK, ['verify', '--simulated', '--data', s.data], { env: cleanEnv({}), encoding: 'utf8' })
  assert.equal(verify.status, 0, verify.stdout + verify.stderr)
  assert.match(verify.stdout, /events are gapless in each topic, from the oldest that is kept/)
})
