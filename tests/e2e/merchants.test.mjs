// luwak merchant and luwak key: beside a running server and alone.
import { test } from 'node:test'
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { LUWAK, cleanEnv, temporary } from './luwak.mjs'
import { Server, root } from './server.mjs'

test('a merchant and its key: made, used, held to its addresses, suspended, revoked', async () => {
  const dir = root('scripts/api/account.lua', 'scripts/lib/api_query.lua'), data = join(temporary(), 'data')
  const own = ['--simulated', '--data', data, '--root', dir]
  const luwak = (...args) => execFileSync(LUWAK, [...args, ...own], { env: cleanEnv({}), encoding: 'utf8' }).trim()
  const merchant = luwak('merchant', 'new', '--name', 'Warung Kopi', '--rate', '5')
  assert.match(merchant, /^mer_[0-9a-z]{26}$/)
  const far = luwak('merchant', 'new', '--name', 'Far away', '--allow', '192.0.2.0/24')
  const s = await Server.start({ dir, data })
  const [id, secret] = luwak('key', 'new', merchant, '--label', 'shop').split('  ')
  assert.match(secret, /^sk_test_[0-9a-z]{32}$/)
  assert.ok(!luwak('key', 'list', merchant).includes(secret))
  const ask = (k = secret, method = 'GET', path = '/v1/balance', body) => s.ask(method, path, { body, headers: { authorization: 'Basic ' + Buffer.from(k + ':').toString('base64') } })
  assert.equal((await ask()).status, 200)
  assert.equal((await ask(luwak('key', 'new', far).split('  ')[1])).status, 403)
  luwak('merchant', 'suspend', merchant)
  assert.equal((await ask()).status, 200, 'it may read')
  assert.equal((await ask(secret, 'POST', '/v1/quotes', { amount: 1 })).status, 403)
  luwak('merchant', 'resume', merchant)
  assert.equal((await ask(secret, 'POST', '/v1/quotes', { amount: 1 })).status, 200)
  assert.equal((await ask()).status, 200)
  assert.equal((await ask()).status, 429, 'five a minute')
  luwak('key', 'revoke', merchant, id)
  assert.equal((await ask()).status, 401)
  const again = spawnSync(LUWAK, ['key', 'revoke', merchant, id, ...own], { env: cleanEnv({}), encoding: 'utf8' })
  assert.equal(again.status, 1)
  await s.stop()
})
