// Webhooks out: Standard Webhooks as its own library reads them, to receivers that are slow, broken,
// gone or many, over a restart and a kill.
import { after, test } from 'node:test'
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import { join } from 'node:path'
import { Webhook } from 'standardwebhooks'
import { LUWAK, cleanEnv, luwak, temporary } from './luwak.mjs'
import { Server, WALLET, root, sleep, until } from './server.mjs'

const DEMO = { authorization: 'Basic ' + Buffer.from('sk_test_demo:').toString('base64') }
const LIMITED = { authorization: 'Basic ' + Buffer.from('sk_test_limited:').toString('base64') }
const shop = () => root(...WALLET, 'channels/self_va.lua', 'scripts/sandbox/self.lua', 'scripts/lib/api_query.lua',
  'scripts/api/payments.lua', 'scripts/api/account.lua', 'scripts/api/webhooks.lua')
const start = (more = {}) => Server.start({ dir: shop(), ...more })

const ask = (s, method, path, body, headers = DEMO) => s.ask(method, path, { body, headers })
let orders = 0
async function pay (s, headers = DEMO) {
  const r = await ask(s, 'POST', '/v1/payments', { order_id: `w-${++orders}`, amount: 150000, method: 'virtual_account', bank: 'self', customer: { name: 'Budi' } }, headers)
  assert.equal(r.status, 201, r.body)
  return r.json()
}
async function endpoint (s, url, more = {}, headers = DEMO) {
  const r = await ask(s, 'POST', '/v1/webhook_endpoints', { url, ...more }, headers)
  assert.equal(r.status, 201, r.body)
  return r.json()
}
const clock = async (s, advance) => assert.equal((await s.post('/sandbox/_clock', { advance })).status, 200)

// A merchant's receiver: what came, and an answer for each: a status, or a function of (request, answer).
const receivers = []
after(() => receivers.forEach(r => r.close()))
async function receiver (answer = 204) {
  const r = { came: [], answer, at: 0, most: 0 }
  const server = http.createServer((req, res) => {
    r.most = Math.max(r.most, ++r.at)
    res.on('close', () => { r.at-- })
    const parts = []
    req.on('data', d => parts.push(d))
    req.on('end', () => {
      const body = Buffer.concat(parts).toString()
      const one = { headers: req.headers, body, url: req.url, id: req.headers['webhook-id'], ...JSON.parse(body) }
      r.came.push(one)
      const say = typeof r.answer === 'function' ? r.answer(one, res) : r.answer
      if (say) res.writeHead(say).end()
    })
  })
  await new Promise(resolve => server.listen(r.port ?? 0, '127.0.0.1', resolve))
  r.port = server.address().port
  r.url = `http://127.0.0.1:${r.port}/hook`
  r.close = () => new Promise(resolve => { server.close(resolve); server.closeAllConnections() })
  receivers.push(r)
  return r
}
const ids = r => new Set(r.came.map(c => c.id))
const metric = async (s, name) => Number(new RegExp(`^${name.replace(/[{}]/g, '\\$&')} (\\d+)`, 'm').exec((await s.get('/metrics')).body)?.[1] ?? 0)

test('a delivery is what Standard Webhooks says it is, and holds what the API shows', async () => {
  const s = await start()
  const r = await receiver()
  const e = await endpoint(s, r.url)
  assert.match(e.id, /^we_/)
  assert.match(e.secret, /^whsec_/)
  assert.deepEqual(e.enabled_types, ['*'])
  const p = await pay(s)
  await s.post('/sandbox/self/_control', { pay: p.id })
  await until('two deliveries', () => r.came.length === 2)
  const events = (await ask(s, 'GET', '/v1/events')).json().data
  const hook = new Webhook(e.secret)
  for (const c of r.came) {
    assert.deepEqual(hook.verify(c.body, c.headers), JSON.parse(c.body))
    assert.throws(() => hook.verify(c.body.replace('150000', '150001'), c.headers), /signature/i)
    const event = events.find(v => v.id === c.id)
    assert.deepEqual(JSON.parse(c.body), { type: event.type, timestamp: event.created_at, sequence: event.sequence, data: event.data.object })
    assert.equal(c.data.customer.name, 'Budi')
    assert.equal(c.headers['content-type'], 'application/json')
  }
  assert.deepEqual(new Set(r.came.map(c => c.type)), new Set(['payment.created', 'payment.succeeded']))
  await until('counted', async () => await metric(s, 'luwak_webhooks_total{outcome="delivered"}') === 2)
  await s.stop()
})

test('endpoints: listed, changed, disabled, deleted; the secret is shown once; another merchant sees none', async () => {
  const s = await start()
  const a = await endpoint(s, 'http://127.0.0.1:9/a')
  const b = await endpoint(s, 'http://127.0.0.1:9/b', { enabled_types: ['payment.succeeded', 'refund.failed'] })
  const list = (await ask(s, 'GET', '/v1/webhook_endpoints')).json()
  assert.deepEqual(list.data.map(e => [e.id, e.secret]), [[b.id, undefined], [a.id, undefined]])
  assert.equal(list.has_more, false)
  const page = (await ask(s, 'GET', `/v1/webhook_endpoints?limit=1&starting_after=${b.id}`)).json()
  assert.deepEqual([page.data.map(e => e.id), page.has_more], [[a.id], false])
  assert.deepEqual(b.enabled_types, ['payment.succeeded', 'refund.failed'])
  const changed = await ask(s, 'POST', `/v1/webhook_endpoints/${b.id}`, { url: 'http://127.0.0.1:9/c', disabled: true })
  assert.equal(changed.status, 200, changed.body)
  assert.deepEqual([changed.json().url, changed.json().status, changed.json().enabled_types], ['http://127.0.0.1:9/c', 'disabled', b.enabled_types])
  assert.equal((await ask(s, 'PATCH', `/v1/webhook_endpoints/${b.id}`, { disabled: false, enabled_types: ['*'] })).json().status, 'enabled')
  assert.deepEqual((await ask(s, 'GET', `/v1/webhook_endpoints/${b.id}`)).json().enabled_types, ['*'])
  for (const [method, path, body] of [['GET', '', undefined], ['POST', '', {}], ['DELETE', '', undefined], ['POST', '/rotate_secret', undefined]]) {
    assert.equal((await ask(s, method, `/v1/webhook_endpoints/${a.id}${path}`, body, LIMITED)).status, 404, method + path)
    assert.equal((await ask(s, method, `/v1/webhook_endpoints/we_nobody${path}`, body)).status, 404, method + path)
  }
  assert.deepEqual((await ask(s, 'DELETE', `/v1/webhook_endpoints/${a.id}`)).json(), { id: a.id, object: 'webhook_endpoint', deleted: true })
  assert.equal((await ask(s, 'GET', `/v1/webhook_endpoints/${a.id}`)).status, 404)
  assert.equal((await ask(s, 'DELETE', `/v1/webhook_endpoints/${a.id}`)).status, 404)
  for (let n = 1; n < 16; n++) await endpoint(s, `http://127.0.0.1:9/${n}`)
  assert.equal((await ask(s, 'POST', '/v1/webhook_endpoints', { url: 'http://127.0.0.1:9/' })).json().code, 'LIMIT_EXCEEDED')
  await s.stop()
})

test('bad endpoints are refused with the field', async () => {
  const s = await start()
  const url = 'http://127.0.0.1:9/'
  for (const [body, param] of [
    [{}, 'url'], [{ url: 7 }, 'url'], [{ url: 'shop.example' }, 'url'], [{ url: 'ftp://shop.example/' }, 'url'], [{ url: null }, 'url'],
    [{ url: 'http://u:p@shop.example/' }, 'url'], [{ url: 'http://169.254.169.254/latest' }, 'url'], [{ url: 'http://0.0.0.0/' }, 'url'],
    [{ url: 'https://shop.example/' + 'a'.repeat(2000) }, 'url'], [{ url, enabled_types: [] }, 'enabled_types'],
    [{ url, enabled_types: 'payment.created' }, 'enabled_types'], [{ url, enabled_types: ['payment.paid'] }, 'enabled_types'],
    [{ url, enabled_types: ['payment.created', 'payment.created'] }, 'enabled_types'], [{ url, enabled_types: [1] }, 'enabled_types'],
    [{ url, secret: 'whsec_mine' }, 'secret'], [[1], undefined], ['x', undefined]
  ]) {
    const r = await ask(s, 'POST', '/v1/webhook_endpoints', JSON.stringify(body), { ...DEMO, 'content-type': 'application/json' })
    assert.equal(r.status, 400, JSON.stringify(body))
    assert.deepEqual([r.json().code, r.json().param], ['INVALID_REQUEST', param], r.body)
  }
  assert.deepEqual((await ask(s, 'GET', '/v1/webhook_endpoints')).json().data, [])
  await s.stop()
})

test('a broken receiver gets it again, later and later, for three days; then it is dead, and a person sends it once more', async () => {
  const s = await start()
  const r = await receiver(500)
  await endpoint(s, r.url, { enabled_types: ['payment.created'] })
  const p = await pay(s)
  await until('first try', () => r.came.length === 1)
  await clock(s, '76h')
  assert.equal(r.came.length, 10)
  assert.equal(ids(r).size, 1, 'one id, however often')
  await clock(s, '1d')
  assert.equal(r.came.length, 10)
  const first = await s.logged('webhook_failed'), last = await s.logged('webhook_failed', l => l.given_up)
  assert.deepEqual([first.merchant, first.given_up, first.next_try_in_s >= 4 && first.next_try_in_s <= 5], ['mer_demo', false, true])
  assert.deepEqual([last.tries, last.next_try_in_s, last.error.includes('500')], [10, 0, true])
  r.answer = 200
  const event = (await ask(s, 'GET', `/v1/payments/${p.id}/events`)).json().data[0]
  const again = await ask(s, 'POST', `/v1/events/${event.id}/redeliver`)
  assert.equal(again.status, 200, again.body)
  assert.deepEqual(again.json(), event)
  await until('once more', () => r.came.length === 11)
  assert.equal(r.came[10].id, event.id)
  assert.equal((await ask(s, 'POST', `/v1/events/${event.id}/redeliver`, undefined, LIMITED)).status, 404)
  assert.equal((await ask(s, 'POST', '/v1/events/evt_nothing/redeliver')).status, 404)
  await s.stop()
})

test('gone is believed at once; five days of failure disable as well; both are events, and enabling goes on from now', async () => {
  const s = await start()
  const gone = await receiver(410)
  const watch = await receiver()
  const broken = await receiver(503)
  const e = await endpoint(s, gone.url)
  await endpoint(s, watch.url, { enabled_types: ['webhook_endpoint.disabled'] })
  const f = await endpoint(s, broken.url, { enabled_types: ['payment.created'] })
  await pay(s)
  await until('told', () => watch.came.length === 1)
  assert.equal(watch.came[0].data.id, e.id)
  assert.equal(watch.came[0].data.status, 'disabled')
  assert.equal((await ask(s, 'GET', `/v1/webhook_endpoints/${e.id}`)).json().status, 'disabled')
  await s.logged('webhook_endpoint_disabled', l => l.endpoint === e.id && l.status === 410)
  for (let day = 0; day < 5; day++) {
    await clock(s, '25h')
    await pay(s)
  }
  await until('told of the other', () => watch.came.length === 2)
  assert.equal(watch.came[1].data.id, f.id)
  const before = broken.came.length
  await clock(s, '2d')
  assert.equal(broken.came.length, before, 'disabled is not called')
  assert.equal(gone.came.length, 1)
  gone.answer = 200
  await ask(s, 'POST', `/v1/webhook_endpoints/${e.id}`, { disabled: false })
  const p = await pay(s)
  await until('from now', () => gone.came.length === 2)
  assert.equal(gone.came[1].data.id, p.id)
  await s.stop()
})

test('rotation: for a day both secrets sign, then the new one alone', async () => {
  const s = await start()
  const r = await receiver()
  const e = await endpoint(s, r.url)
  const rotated = await ask(s, 'POST', `/v1/webhook_endpoints/${e.id}/rotate_secret`)
  assert.equal(rotated.status, 200, rotated.body)
  const { id, secret } = rotated.json()
  assert.equal(id, e.id)
  assert.notEqual(secret, e.secret)
  await pay(s)
  await until('a delivery', () => r.came.length === 1)
  for (const one of [e.secret, secret]) new Webhook(one).verify(r.came[0].body, r.came[0].headers)
  assert.equal(r.came[0].headers['webhook-signature'].split(' ').length, 2)
  await clock(s, '25h')
  await pay(s)
  await until('the next day', () => r.came.length === 2)
  new Webhook(secret).verify(r.came[1].body, r.came[1].headers)
  assert.throws(() => new Webhook(e.secret).verify(r.came[1].body, r.came[1].headers))
  await s.stop()
})

test('a delivery that cannot be put together counts as a try, and those behind it go on', async () => {
  const s = await start()
  const r = await receiver(500)
  const e = await endpoint(s, r.url, { enabled_types: ['payment.created'] })
  const bad = await pay(s)
  await until('one try', () => r.came.length === 1)
  await until('it is on disk', () => s.log.some(l => l.event === 'webhook_failed'))
  await s.stop()
  mkdirSync(join(s.dir, 'scripts/migrations'), { recursive: true })
  writeFileSync(join(s.dir, 'scripts/migrations/0001_damage.sql'), 'UPDATE person SET data = zeroblob(length(data)) WHERE data IS NOT NULL;')
  const damage = luwak(['migrate', '--simulated', '--data', s.data], { cwd: s.dir })
  assert.equal(damage.code, 0, damage.err)
  r.came = []
  r.answer = 200
  const again = await start({ data: s.data, dir: s.dir })
  await clock(again, '1h')
  const good = await pay(again)
  await until('the one behind it', () => r.came.length === 1)
  assert.equal(r.came[0].data.id, good.id)
  const told = event => again.log.filter(l => l.event === event && l.endpoint === e.id)
  assert.deepEqual(told('webhook_failed').map(l => l.tries), told('webhook_not_sent').map((_, i) => i + 2), 'each counts')
  assert.ok(told('webhook_failed').length >= 1)
  const tries = told('webhook_not_sent').length
  await sleep(2500)
  assert.equal(told('webhook_not_sent').length, tries, 'it waits for its time, it is not tried each second')
  assert.notEqual(bad.id, good.id)
  await again.stop()
})

test('kill -9 with deliveries under way: each arrives, none is lost', async () => {
  const s = await start()
  const open = []
  const r = await receiver((one, res) => { open.push(res) }) // never answers
  const e = await endpoint(s, r.url, { enabled_types: ['payment.created'] })
  const made = await Promise.all(Array.from({ length: 20 }, () => pay(s)))
  await until('8 under way', () => r.at === 8)
  await sleep(100)
  assert.equal(r.most, 8, 'no more than 8 at once')
  await s.kill()
  assert.equal(r.came.length, 8)
  r.came = []
  r.answer = 200
  const again = await start({ data: s.data, dir: s.dir })
  await until('all of them', () => ids(r).size === 20)
  assert.deepEqual(new Set(r.came.map(c => c.data.id)), new Set(made.map(p => p.id)))
  assert.deepEqual(r.came.map(c => c.sequence).sort((a, b) => a - b), [...new Set(r.came.map(c => c.sequence))].sort((a, b) => a - b), 'once each')
  for (const c of r.came) new Webhook(e.secret).verify(c.body, c.headers)
  await again.stop()
})

test('one event that is refused holds up no other, whatever the order', async () => {
  const s = await start()
  const r = await receiver(one => one.sequence === 1 && r.came.filter(c => c.sequence === 1).length < 3 ? 500 : 200)
  await endpoint(s, r.url, { enabled_types: ['payment.created'] })
  for (let n = 0; n < 5; n++) await pay(s)
  await until('the others', () => ids(r).size === 5)
  await clock(s, '10m')
  assert.equal(r.came.filter(c => c.sequence === 1).length, 3)
  assert.equal(r.came.length, 7)
  await s.stop()
})

test('endpoints that hang slow no payment and no other endpoint; a redirect is not followed; a dead one is tried again', async () => {
  const s = await start({ env: { PAYMENT_WEBHOOK_TIMEOUT: '1s' }, args: ['--workers', '2'] })
  const other = await receiver()
  const moved = await receiver((one, res) => { res.writeHead(302, { location: other.url }).end() })
  const dead = await receiver()
  await dead.close()
  const hanging = await receiver(() => 0)
  for (let n = 0; n < 12; n++) await endpoint(s, hanging.url + n)
  await endpoint(s, moved.url)
  await endpoint(s, dead.url)
  const good = await receiver()
  await endpoint(s, good.url)
  const began = Date.now()
  const made = await Promise.all(Array.from({ length: 100 }, () => pay(s)))
  assert.ok(Date.now() - began < 20000)
  await until('the good one has all', () => ids(good).size === 100)
  assert.deepEqual(new Set(good.came.map(c => c.data.id)), new Set(made.map(p => p.id)))
  assert.ok(hanging.most <= 12 * 8)
  assert.ok(ids(hanging).size < 100, 'the hanging ones are still at it')
  assert.equal(other.came.length, 0)
  await s.logged('webhook_failed', l => l.error.includes('302'))
  await s.logged('webhook_failed', l => l.error.startsWith('refused'))
  await s.logged('webhook_failed', l => l.error.startsWith('timeout'))
  await s.stop()
})

test('many endpoints of two merchants have their turn, several workers, nothing twice', async () => {
  const s = await start({ args: ['--workers', '3'] })
  const all = await Promise.all(Array.from({ length: 8 }, () => receiver((one, res) => { setTimeout(() => res.writeHead(200).end(), 20) })))
  await Promise.all(all.map((r, n) => endpoint(s, r.url, {}, n % 2 ? DEMO : LIMITED)))
  await Promise.all(Array.from({ length: 120 }, (_, n) => pay(s, n % 3 === 0 ? LIMITED : DEMO)))
  await until('all', () => all.every((r, n) => ids(r).size >= (n % 2 ? 80 : 40)))
  await sleep(200)
  for (const [n, r] of all.entries()) {
    assert.equal(r.came.length, n % 2 ? 80 : 40, 'each once')
    assert.ok(r.most <= 8)
    assert.deepEqual([...r.came.map(c => c.sequence)].sort((a, b) => a - b), Array.from(r.came, (_, i) => i + 1))
  }
  await s.stop()
})

// luwak listen beside a server: what it printed so far, and its end.
function listen (s, ...args) {
  const child = spawn(LUWAK, ['listen', '--simulated', '--data', s.data, '--root', s.dir, ...args], { env: cleanEnv(), stdio: ['ignore', 'pipe', 'pipe'] })
  const l = { out: '', err: '', child }
  child.stdout.on('data', d => { l.out += d })
  child.stderr.on('data', d => { l.err += d })
  l.ended = new Promise(resolve => child.on('close', code => resolve(code)))
  after(() => child.kill('SIGKILL'))
  return l
}

test('luwak listen prints and forwards a developer the events of one merchant, signed', async () => {
  const s = await start()
  await pay(s) // before: not shown
  const r = await receiver(one => one.sequence === 3 ? 500 : 200)
  const l = listen(s, '--forward', r.url)
  await until('its start', () => /signed with (whsec_\S+)\n/.test(l.out))
  const secret = /signed with (\S+)/.exec(l.out)[1]
  await pay(s, LIMITED)
  const made = [await pay(s), await pay(s), await pay(s)]
  await until('three lines', () => l.out.match(/payment\.created/g)?.length === 3)
  assert.deepEqual(r.came.map(c => [c.sequence, c.data.id]), made.map((p, i) => [i + 2, p.id]))
  for (const c of r.came) {
    new Webhook(secret).verify(c.body, c.headers)
    assert.equal(c.data.customer.name, 'Budi')
  }
  const lines = l.out.trim().split('\n').slice(2)
  for (const [i, line] of lines.entries()) {
    assert.match(line, new RegExp(`  ${i + 2}  payment\\.created  ${made[i].id}  ${r.came[i].id}  -> ${i === 1 ? 500 : 200} in \\d+ ms$`))
  }
  l.child.kill('SIGINT')
  assert.equal(await l.ended, 0)
  assert.equal(l.err, '')

  const other = listen(s, '--json', '--key', 'sk_test_limited')
  await until('its start', () => other.err.includes('listening'))
  await pay(s)
  const p = await pay(s, LIMITED)
  await until('a line', () => other.out.endsWith('\n'))
  assert.deepEqual(JSON.parse(other.out), (await ask(s, 'GET', `/v1/payments/${p.id}/events`, undefined, LIMITED)).json().data[0])
  await s.stop()
  assert.equal(await other.ended, 1, 'the server went away')
  assert.match(other.err, /luwak listen: the server does not answer any more/)
})

test('luwak listen: wrong use is said in one line', async () => {
  const s = await start()
  const at = ['--simulated', '--data', s.data, '--root', s.dir]
  for (const [args, code, text] of [
    [['--forward', 'shop', ...at], 2, /^luwak listen: --forward: .+\n$/],
    [['--key', 'sk_test_nobody', ...at], 1, /^luwak listen: --key: no merchant has this key, or it is revoked\n$/],
    [['x', ...at], 2, /^luwak listen: /],
    [['--simulated', '--data', temporary(), '--root', s.dir], 1, /^luwak listen: no server runs on /]
  ]) {
    const r = luwak(['listen', ...args])
    assert.equal(r.code, code, r.err)
    assert.match(r.err, text)
    assert.equal(r.out, '')
  }
  assert.match(luwak(['listen', '--help']).out, /--forward URL/)
  await s.stop()
})

test('events older than those kept: 410 with the oldest', async () => {
  const s = await start()
  for (let n = 0; n < 5; n++) await pay(s)
  await s.stop()
  mkdirSync(join(s.dir, 'scripts/migrations'), { recursive: true })
  writeFileSync(join(s.dir, 'scripts/migrations/0001_forget.sql'), 'DROP TRIGGER event_kept; DELETE FROM event WHERE sequence <= 3;')
  const t = await start({ data: s.data, dir: s.dir })
  const events = after => ask(t, 'GET', `/v1/events?after=${after}`)
  for (const gone of [0, 1, 2]) {
    const r = await events(gone)
    assert.equal(r.status, 410, r.body)
    assert.deepEqual([r.json().code, r.json().param, r.json().oldest], ['INVALID_REQUEST', 'after', 4])
    assert.match(r.json().detail, /the oldest is 4$/)
  }
  assert.deepEqual((await events(3)).json().data.map(e => e.sequence), [4, 5])
  assert.deepEqual((await events(5)).json().data, [])
  await t.stop()
})
