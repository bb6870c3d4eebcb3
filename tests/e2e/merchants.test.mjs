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
  for (const name of ['two\nlines', 'x'.repeat(101), '\x7f']) {
    const r = spawnSync(LUWAK, ['merchant', 'new', '--name', name, ...own], { env: cleanEnv({}), encoding: 'utf8' })
    assert.match(r.stderr, /name: a text of 1 to 100 bytes, in one line/)
    assert.notEqual(r.status, 0)
  }
  const s = await Server.start({ dir, data })
  const [id, secret] = luwak('key', 'new', merchant, '--label', 'shop').split('  ')
  assert.match(secret, /^sk_test_[0-9a-z]{32}$/)
  assert.ok(!luwak('key', 'list', merchant).includes(secret))
  const ask = (k = secret, method = 'GET', path = '/v1/balance', body) => s.ask(method, path, { body, headers: { authorization: 'Basic ' + Buffer.from(k + ':').toString('base64') } })
  assert.equal((await ask()).status, 200)
  assert.equal((await ask(luwak('key', 'new', far).split('  ')[1])).status, 403)
  assert.equal(luwak('merchant', 'suspend', merchant), `${merchant}  suspended`)
  assert.equal((await ask()).status, 200, 'it may read')
  assert.equal((await ask(secret, 'POST', '/v1/quotes', { amount: 1 })).status, 403)
  assert.equal(luwak('merchant', 'resume', merchant), `${merchant}  active`)
  assert.equal((await ask(secret, 'POST', '/v1/quotes', { amount: 1 })).status, 200)
  assert.equal((await ask()).status, 200)
  assert.equal((await ask()).status, 429, 'five a minute')
  assert.equal(luwak('key', 'revoke', merchant, id), `${id}  revoked`)
  assert.equal((await ask()).status, 401)
  const wrong = (...args) => {
    const r = spawnSync(LUWAK, [...args, ...own], { env: cleanEnv({}), encoding: 'utf8' })
    assert.equal(r.status, 1, r.stderr)
    return r.stderr.trim()
  }
  assert.equal(wrong('key', 'revoke', merchant, id), `luwak key: ${id} is revoked already`)
  const none = `luwak key: there is no merchant mer_nope; \`luwak merchant list\` shows them`
  assert.equal(wrong('key', 'revoke', merchant, 'key_nope'), `luwak key: ${merchant} has no key key_nope; \`luwak key list ${merchant}\` shows its keys`)
  assert.equal(wrong('key', 'revoke', far, id), `luwak key: ${far} has no key ${id}; \`luwak key list ${far}\` shows its keys`)
  for (const args of [['new', 'mer_nope'], ['list', 'mer_nope'], ['revoke', 'mer_nope', id]]) assert.equal(wrong('key', ...args), none)
  await s.stop()
  // each act beside the server is in its log, once it is done; the two that failed are not
  const acts = s.events('operator').map(l => [l.action, l.subject])
  assert.deepEqual(acts.map(([action]) => action), ['key.new', 'key.new', 'merchant.suspend', 'merchant.resume', 'key.revoke'])
  assert.deepEqual([acts[0], acts[2], acts[4]], [['key.new', id], ['merchant.suspend', merchant], ['key.revoke', id]])
  assert.ok(s.events('operator').every(l => l.level === 'info' && /^operator ./.test(l.actor)))
  assert.ok(!s.raw.includes(secret))
})

test('what a merchant is in the eyes of Bank Indonesia: QRIS costs by it, at create, when the money comes, and in quotes', async () => {
  const s = await Server.start({ dir: root('channels', 'rules', 'scripts') })
  const luwak = (...args) => execFileSync(LUWAK, [...args, '--simulated', '--data', s.data, '--root', s.dir], { env: cleanEnv({}), encoding: 'utf8' }).trim()
  const micro = luwak('merchant', 'new', '--name', 'Warung', '--category', 'UMI')
  const key = luwak('key', 'new', micro).split('  ')[1]
  const ask = async (method, path, body) => (await s.ask(method, path, { body, headers: { authorization: 'Basic ' + Buffer.from(key + ':').toString('base64') } })).json()
  const pay = async order_id => {
    const p = await ask('POST', '/v1/payments', { order_id, amount: 400000, method: 'qris' })
    assert.equal((await s.post('/sandbox/midtrans/_control', { pay: p.id })).status, 200)
    return [p.fee.total, (await ask('GET', '/v1/payments/' + p.id)).fee.total, (await ask('POST', '/v1/quotes', { amount: 400000, method: 'qris' })).options[0].fee.total]
  }
  assert.match(luwak('merchant', 'list'), new RegExp(`^${micro}  .*  UMI$`, 'm'))
  assert.deepEqual(await pay('u-1'), [0, 0, 0], 'up to 500,000 is free')
  luwak('merchant', 'category', micro, '--category', 'EDUCATION')
  assert.deepEqual(await pay('u-2'), [2400, 2400, 2400])
  luwak('merchant', 'category', micro, '--category', 'URE')
  assert.deepEqual(await pay('u-3'), [2800, 2800, 2800], 'regular')
  assert.equal(luwak('merchant', 'category', micro, '--category', 'FUEL'), `${micro}  FUEL`)
  for (const word of ['umi 1', 'XX', 'UM', '|'])
    for (const args of [['category', micro], ['new', '--name', 'Warung']])
      assert.throws(() => luwak('merchant', ...args, '--category', word), /: must be one of UMI\|.*\|PSO$/m)
  assert.throws(() => luwak('merchant', 'category', micro), /--category is missing/)
  assert.throws(() => luwak('merchant', 'category', 'mer_x', '--category', 'UMI'), /there is no merchant mer_x/)
  await s.stop()
})
