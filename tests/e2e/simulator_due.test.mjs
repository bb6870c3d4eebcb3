// What a simulator wanted to do later is told to it by a job. Anything else that comes there is refused, by its field.
import { test } from 'node:test'
import assert from 'node:assert/strict'
import { Server, root } from './server.mjs'

const LATER = { midtrans: ['pay', 'expire', 'tell', 'settle_card', 'refunded'], xendit: ['pay', 'expire', 'tell', 'awake', 'refunded'], doku: ['pay', 'tell'], self: ['pay', 'tell'] }
const RUBBISH = [null, 5, 'x', '', [], {}, true, -1, 1.5, 'x'.repeat(70000), 'a\u0000']
const names = value => Object.fromEntries(['id', 'ref', 'va_number', 'key', 'amount', 'n', 'facts', 'url', 'body', 'tried', 'headers'].map(name => [name, value]))
const NOBODYS = { id: 'nope', ref: 'nope', va_number: 'nope', key: 'k', amount: 5, n: 1, facts: {}, url: 'http://127.0.0.1:1/', body: 'x', tried: 0, headers: {} }

test('rubbish at a simulator\'s _due is refused, naming the field; nobody\'s does nothing', async () => {
  const s = await Server.start({ dir: root('channels', 'rules', 'scripts') })
  for (const [provider, later] of Object.entries(LATER)) {
    const due = body => s.post(`/sandbox/${provider}/_due`, body)
    const refused = async (body, field) => {
      const r = await due(body)
      assert.equal(r.status, 400, `${provider} ${JSON.stringify(body).slice(0, 200)}: ${r.body}`)
      assert.match(r.json().param, field)
    }
    for (const body of ['', 'x', '[]', '5', 'null', '{}', ...RUBBISH.map(name => ({ name }))]) await refused(body, /^name$/)
    for (const name of [...later, 'callback']) {
      for (const arg of RUBBISH) await refused({ name, arg }, /^arg/)
      for (const value of RUBBISH) {
        const r = await due({ name, arg: names(value) })
        assert.ok(r.status === 400 ? r.json().param.startsWith('arg.') : r.status === 200, `${provider} ${name} ${JSON.stringify(value)?.slice(0, 60)}: ${r.status} ${r.body}`)
      }
    }
    await refused({ name: 'callback', arg: { ...NOBODYS, url: 'nope' } }, /^arg\.url$/)
    await refused({ name: 'callback', arg: { ...NOBODYS, headers: { a: 5 } } }, /^arg\.headers$/)
    for (const name of later) assert.equal((await due({ name, arg: NOBODYS })).status, 200, `${provider} ${name}`)
  }
  assert.deepEqual(s.events('route_failed').map(l => l.error), [])
  await s.stop()
})
