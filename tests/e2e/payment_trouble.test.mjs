// What befalls payments between us and a provider: crashes between two commits, callbacks that come before
// their attempt is known, older ways that are paid, other amounts, a channel that is down, a full disk. The
// provider is a channel that answers as the test tells it.
import { test } from 'node:test'
import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from './luwak.mjs'
import { Server, WALLET, root, until } from './server.mjs'

const DEMO = { authorization: 'Basic ' + Buffer.from('sk_test_demo:').toString('base64') }

// What it decides is put into its own store by a callback: {put: {create: {tag, with}, inquire: {tag, with}}}.
const trial = (name, more = '') => `
local TAGS = { pending = pending, processing = processing, success = success, failed = failed, unknown = unknown, not_created = not_created }
local function said(ctx, what)
  local text = ctx.store.get(what)
  local say = text and json.decode(text) or { tag = "pending", with = { va_number = "1" } }
  return TAGS[say.tag](say.with or {})
end
return { api = 1, title = "${name}", provider = "${name}", method = "virtual_account", bank = "trial", effect = "offer",
  hosts = { sandbox = "api.${name}.example" }, lookup = "ours", amounts = "closed", expires = { default = "1h", grace = "10m" },
  create = function(ctx, op)
    ctx.store.put("calls", tostring(tonumber(ctx.store.get "calls" or "0") + 1))
    return said(ctx, "create")
  end,
  inquire = function(ctx, op) return said(ctx, "inquire") end, ${more}
  notify = function(ctx, request)
    local told = json.decode(request.body)
    ctx.verify(true)
    for key, value in pairs(told.put or {}) do ctx.store.put(key, json.encode(value)) end
    if not told.tell then return reply(200, { calls = ctx.store.get "calls" }) end
    local verdict = ctx.settle(told.tell)
    return reply(verdict == "not_found" and 503 or 200, { verdict = verdict })
  end }`

// A look at what the merchant is not shown, and a hand for what no route does yet.
const LOOK = `return { api = 1, routes = {
  ["GET /test/look/:id"] = { auth = "none", run = function(req)
    return 200, { held = json.array(store.query("movements_held", 10)), notes = json.array(store.query("notes_of_payment", req.params.id)) }
  end },
  ["POST /test/supersede/:id"] = { auth = "none", run = function(req)
    local o = store.query("operation_get", req.params.id)[1]
    local ok, why = store.commit { { "operation_move", id = o.id, generation = o.generation, from = o.status, to = "superseded", doc = o.doc, now = time.now() } }
    return ok and 200 or 500, json.object { why = why }
  end } } }`

function shop (files = {}) {
  const dir = root(...WALLET, 'channels/self_va.lua', 'scripts/sandbox/self.lua', 'scripts/lib/api_query.lua', 'scripts/api/payments.lua',
    'scripts/api/account.lua', 'scripts/jobs/expire_payments.lua', 'scripts/jobs/suspense.lua')
  for (const [path, text] of Object.entries({ 'channels/trial_va.lua': trial('trial'), 'scripts/api/look.lua': LOOK, ...files })) {
    mkdirSync(join(dir, path, '..'), { recursive: true })
    if (text === true) cpSync(join(ROOT, path), join(dir, path))
    else writeFileSync(join(dir, path), text)
  }
  return dir
}

const create = (s, order_id, more = {}, headers = {}) =>
  s.post('/v1/payments', { order_id, amount: 150000, method: 'virtual_account', bank: 'trial', ...more }, { headers: { ...DEMO, ...headers } })
const get = async (s, path) => (await s.get(path, { headers: DEMO })).json()
const shown = (s, p) => get(s, `/v1/payments/${p.id}`)
const clock = (s, advance) => s.post('/sandbox/_clock', { advance })
const told = async (s, body, name = 'trial') => (await s.post(`/callbacks/${name}`, body)).json()
const put = (s, what, name) => told(s, { put: what }, name)
const tell = (s, what) => told(s, { tell: { status: 'success', amount: 150000, ...what } })
const look = async (s, p) => (await s.get(`/test/look/${p.id}`)).json()
const events = async s => (await get(s, '/v1/events')).data.map(e => e.type)
const bank = (s, body) => {
  const text = JSON.stringify(body)
  return s.post('/callbacks/self', text, { headers: { 'content-type': 'application/json', 'x-signature': createHmac('sha512', 'the-banks-key').update(text).digest('hex') } })
}

test('the policy is asked by a job when we die between the money and the rule', async () => {
  const dir = shop({ 'rules/policy/late.lua': true }), env = { SELF_KEY: 'the-banks-key' }
  const first = await Server.start({ dir, env: { ...env, LUWAK_FAULT: 'money.booked=kill' } })
  const p = (await create(first, 'c-1', { bank: 'self', expires_in: 600 })).json()
  await clock(first, '2h')
  assert.equal((await shown(first, p)).status, 'expired')
  await assert.rejects(bank(first, { va_number: p.instructions.va_number, amount: 150000, money_id: 'm-1', status: 'paid' }))
  assert.equal((await first.ended).signal, 'SIGKILL')
  const s = await Server.start({ dir, data: first.data, env })
  assert.equal((await shown(s, p)).status, 'expired')
  assert.equal((await look(s, p)).held.length, 1)
  await clock(s, '20m')
  assert.equal((await shown(s, p)).status, 'success')
  assert.equal((await look(s, p)).held.length, 0)
  await s.stop()
})

test('what the policy leaves to a person is noted once, and not asked again', async () => {
  const s = await Server.start({ dir: shop() }) // no rule: it waits
  const p = (await create(s, 'w-1')).json()
  assert.equal((await tell(s, { reference: 'w-1', money_id: 'm-1', amount: 149000 })).verdict, 'amount_mismatch')
  await clock(s, '30m')
  const { held, notes } = await look(s, p)
  assert.equal(held.length, 1)
  assert.deepEqual(notes.map(n => [n.what, n.detail]), [['policy_waits', `${held[0].id}: short money of 149000 waits for a person`]])
  await s.stop()
})

test('a callback before its attempt is known is booked when the attempt learns its reference', async () => {
  const s = await Server.start({ dir: shop() })
  await put(s, { create: { tag: 'unknown' } })
  const p = (await create(s, 'o-1')).json()
  assert.equal(p.status, 'processing')
  assert.equal((await tell(s, { reference: 'theirs-1', money_id: 'm-1' })).verdict, 'not_found')
  await put(s, { inquire: { tag: 'pending', with: { reference: 'theirs-1', va_number: '1' } } })
  await s.post(`/v1/payments/${p.id}/sync`, '', { headers: DEMO })
  await until('booked', async () => (await shown(s, p)).status === 'success', 5000)
  assert.equal((await tell(s, { reference: 'theirs-1', money_id: 'm-1' })).verdict, 'duplicate')
  await clock(s, '2h')
  assert.equal((await look(s, p)).held.length, 0)
  assert.deepEqual(await events(s), ['payment.created', 'payment.processing', 'payment.succeeded'])
  await s.stop()
})

test('the same, when we die before it was looked for', async () => {
  const dir = shop()
  const first = await Server.start({ dir, env: { LUWAK_FAULT: 'operation.moved=kill' } })
  assert.equal((await tell(first, { reference: 'theirs-2', money_id: 'm-2' })).verdict, 'not_found')
  await put(first, { create: { tag: 'pending', with: { reference: 'theirs-2', va_number: '1' } }, inquire: { tag: 'pending' } })
  await assert.rejects(create(first, 'o-2'))
  assert.equal((await first.ended).signal, 'SIGKILL')
  const s = await Server.start({ dir, data: first.data })
  const [p] = (await get(s, '/v1/payments?order_id=o-2')).data
  assert.equal(p.status, 'pending')
  await clock(s, '40m')
  assert.equal((await shown(s, p)).status, 'success')
  assert.equal((await look(s, p)).held.length, 0)
  await s.stop()
})

test('money of a callback that fits nothing stands in suspense once, however it was spelt', async () => {
  const s = await Server.start({ dir: shop() })
  const p = (await create(s, 'o-3')).json()
  for (const i of [1, 2]) assert.equal((await tell(s, { reference: 'nobody', money_id: 'm-3', message: `time ${i}` })).verdict, 'not_found')
  assert.equal((await tell(s, { reference: 'nobody', money_id: 'm-4', status: 'reversed' })).verdict, 'not_found')
  await clock(s, '2h')
  assert.deepEqual((await look(s, p)).held.map(m => [m.money_id, m.held]), [['m-3', 150000]])
  await s.stop()
})

test('an older way is asked about until its time is over', async () => {
  const s = await Server.start({ dir: shop() })
  await put(s, { inquire: { tag: 'pending' } })
  const paid = (await create(s, 's-1')).json(), not = (await create(s, 's-2')).json()
  for (const p of [paid, not]) assert.equal((await s.post(`/test/supersede/${p.attempts[0].id}`, '')).body, '{}')
  await clock(s, '20m')
  assert.equal((await shown(s, paid)).status, 'pending')
  await put(s, { inquire: { tag: 'success', with: { money_id: 'm-1', amount: 150000 } } })
  await s.post('/callbacks/trial', { put: {} })
  await clock(s, '30m')
  assert.equal((await shown(s, paid)).status, 'success', 'its callback was lost')
  assert.deepEqual((await shown(s, paid)).attempts.map(a => a.status), ['success'])
  await s.stop()
})

for (const how of ['callback', 'inquiry']) {
  test(`an attempt of which nothing is known, and ${how} of another amount: suspense, and an end`, async () => {
    const s = await Server.start({ dir: shop() })
    await put(s, { create: { tag: 'unknown' }, inquire: { tag: 'unknown' } })
    const p = (await create(s, 'a-1')).json()
    assert.deepEqual([p.status, p.attempts[0].status], ['processing', 'unknown'])
    if (how === 'callback') {
      assert.equal((await tell(s, { reference: 'a-1', money_id: 'm-1', amount: 151000 })).verdict, 'amount_mismatch')
    } else {
      await put(s, { inquire: { tag: 'success', with: { money_id: 'm-1', amount: 151000 } } })
      await s.post(`/v1/payments/${p.id}/sync`, '', { headers: DEMO })
    }
    const now = await shown(s, p)
    assert.deepEqual([now.status, now.amount_paid, now.attempts[0].status], ['pending', 0, 'pending'])
    assert.deepEqual((await look(s, p)).held.map(m => [m.held, m.why]), [[151000, 'mismatch']])
    await put(s, { inquire: { tag: 'pending' } })
    await clock(s, '3h')
    assert.equal((await shown(s, p)).status, 'expired')
    assert.deepEqual(await events(s), ['payment.created', 'payment.processing', 'payment.overpaid', 'payment.expired'])
    await s.stop()
  })
}

const channels = p => p.attempts.map(a => a.channel)

test('a channel that is down is not called for a while; another one takes over, and the story says why', async () => {
  const s = await Server.start({ dir: shop({ 'channels/zeta_va.lua': trial('zeta') }) })
  await put(s, { create: { tag: 'failed', with: { category: 'BANK_UNAVAILABLE', final: true } } })
  for (let i = 1; i <= 5; i++) {
    const p = (await create(s, `b-${i}`)).json()
    assert.deepEqual([p.status, p.amount_due, ...channels(p)], ['pending', 150000, 'trial_va', 'zeta_va'])
    assert.deepEqual((await look(s, p)).notes.map(n => [n.what, n.detail]), [['fell_over', 'trial_va said BANK_UNAVAILABLE: zeta_va takes over']])
  }
  const around = (await create(s, 'b-6')).json()
  assert.deepEqual([around.status, ...channels(around)], ['pending', 'zeta_va'])
  assert.deepEqual((await look(s, around)).notes.map(n => n.what), ['channel_skipped'])
  assert.equal((await told(s, {})).calls, '5')
  await put(s, { create: { tag: 'failed', with: { category: 'BANK_UNAVAILABLE', final: true } } }, 'zeta')
  for (let i = 7; i <= 12; i++) assert.equal((await create(s, `b-${i}`)).json().status, 'failed') // half of its calls
  const none = await create(s, 'b-13')
  assert.deepEqual([none.status, none.json().code], [503, 'UNAVAILABLE'])
  assert.equal((await get(s, '/v1/payments?order_id=b-13')).data.length, 0, 'and no row')
  await put(s, { create: { tag: 'pending', with: { va_number: '2' } } })
  await clock(s, '6s') // the cool-down
  for (const order of ['b-14', 'b-15']) assert.deepEqual(channels((await create(s, order)).json()), ['trial_va'])
  await s.stop()
})

test('no answer is never re-routed, but it counts against the channel; a payer without money does not', async () => {
  const s = await Server.start({ dir: shop({ 'channels/zeta_va.lua': trial('zeta') }) })
  await put(s, { create: { tag: 'failed', with: { category: 'INSUFFICIENT_BALANCE', final: true } } })
  for (let i = 1; i <= 6; i++) assert.deepEqual(channels((await create(s, `u-${i}`)).json()), ['trial_va'])
  await clock(s, '2m') // the window
  await put(s, { create: { tag: 'unknown' }, inquire: { tag: 'unknown' } })
  for (let i = 11; i <= 15; i++) {
    const p = (await create(s, `u-${i}`)).json()
    assert.deepEqual([p.status, ...channels(p)], ['processing', 'trial_va'])
  }
  assert.deepEqual(channels((await create(s, 'u-16')).json()), ['zeta_va'])
  await s.stop()
})

const calls = async (s, name) => Number((await told(s, {}, name)).calls)
const NOTHING = { create: { tag: 'not_created' }, inquire: { tag: 'not_created' } }
const SHORT = { LUWAK_CREATE_WAIT: '1s' }

test('what made nothing is tried again after 5, 25 and 125 s, and then has failed', async () => {
  const s = await Server.start({ dir: shop(), env: SHORT })
  await put(s, NOTHING)
  const p = (await create(s, 't-1')).json()
  assert.deepEqual([p.status, p.instructions, p.attempts[0].status], ['processing', null, 'sending'])
  for (const [advance, made] of [['6s', 2], ['10s', 2], ['16s', 3], ['60s', 3], ['66s', 4]]) {
    await clock(s, advance)
    assert.equal(await calls(s), made, `${advance} later`)
  }
  const over = await shown(s, p)
  assert.deepEqual([over.status, over.failure.code, ...over.attempts.map(a => a.reference)], ['failed', 'PROVIDER_ERROR', 't-1'])
  assert.deepEqual(await events(s), ['payment.created', 'payment.failed'])
  assert.deepEqual((await look(s, p)).notes.map(n => n.detail.split(': ')[1]),
    [5, 25, 125].map((seconds, i) => `try ${i + 1} of 4 made nothing; the next one is in ${seconds} s`))
  await clock(s, '2h')
  assert.equal(await calls(s), 4)
  await s.stop()
})

test('a try that works is the answer while somebody waits for it, and its bytes are kept', async () => {
  const s = await Server.start({ dir: shop(), env: { LUWAK_CREATE_WAIT: '120s' } }) // longer than a request here may take
  await put(s, NOTHING)
  const k = { 'idempotency-key': 'try' }
  const asked = create(s, 't-2', {}, k)
  await until('the first try', async () => await calls(s) === 1)
  await put(s, { create: { tag: 'pending', with: { va_number: '77' } } })
  await until('its job', async () => { await clock(s, '1s'); return await calls(s) === 2 })
  const r = await asked
  assert.deepEqual([r.status, r.json().status, r.json().instructions.va_number, r.json().attempts.length], [201, 'pending', '77', 1])
  assert.equal((await create(s, 't-2', {}, k)).body, r.body)
  await s.stop()
})

test('a try outlives kill -9; one that had begun is asked about and never made again', async () => {
  const dir = shop(), env = { ...SHORT }
  const first = await Server.start({ dir, env })
  await put(first, NOTHING)
  const p = (await create(first, 't-3')).json()
  await first.kill()
  const second = await Server.start({ dir, data: first.data, env: { ...env, LUWAK_FAULT: 'operation.intent=kill' } })
  clock(second, '6s').catch(() => {})
  assert.equal((await second.ended).signal, 'SIGKILL', 'it went on after the first crash')
  const s = await Server.start({ dir, data: first.data, env })
  await clock(s, '1m')
  assert.deepEqual([(await shown(s, p)).status, await calls(s)], ['processing', 1])
  await clock(s, '1h')
  assert.deepEqual([(await shown(s, p)).status, await calls(s)], ['failed', 1], 'the provider does not know it')
  await s.stop()
})

test('PAYMENT_RETRY_ATTEMPTS is the number of tries; another channel is taken at once, only the last one waits', async () => {
  const once = await Server.start({ dir: shop(), env: { PAYMENT_RETRY_ATTEMPTS: '1' } })
  await put(once, NOTHING)
  assert.equal((await create(once, 't-4')).json().status, 'failed')
  await once.stop()
  const s = await Server.start({ dir: shop({ 'channels/zeta_va.lua': trial('zeta') }), env: { ...SHORT, PAYMENT_RETRY_ATTEMPTS: '2' } })
  await put(s, NOTHING)
  await put(s, NOTHING, 'zeta')
  const p = (await create(s, 't-5')).json()
  assert.deepEqual([p.status, ...p.attempts.map(a => `${a.channel} ${a.status}`)], ['processing', 'trial_va failed', 'zeta_va sending'])
  await clock(s, '6s')
  assert.deepEqual([(await shown(s, p)).status, await calls(s), await calls(s, 'zeta')], ['failed', 1, 2])
  await s.stop()
})

test('found by asking, and the provider does not say how it is paid: a note, and the order is free once it is cancelled', async () => {
  const s = await Server.start({ dir: shop() })
  await put(s, { create: { tag: 'unknown' }, inquire: { tag: 'pending' } })
  const p = (await create(s, 'q-1')).json(), sync = () => s.post(`/v1/payments/${p.id}/sync`, '', { headers: DEMO })
  assert.deepEqual([(await sync()).json().status, (await shown(s, p)).instructions], ['pending', null])
  assert.deepEqual((await look(s, p)).notes.map(n => n.what), ['nothing_to_show'])
  assert.equal((await s.post(`/v1/payments/${p.id}/cancel`, '', { headers: DEMO })).json().status, 'cancelled')
  await put(s, { create: { tag: 'unknown' }, inquire: { tag: 'pending', with: { va_number: '88' } } })
  const again = (await create(s, 'q-1')).json()
  await s.post(`/v1/payments/${again.id}/sync`, '', { headers: DEMO })
  const way = { type: 'va_number', bank: 'trial', va_number: '88' }
  assert.deepEqual([again.id !== p.id, (await shown(s, again)).instructions], [true, way])
  for (const say of [{ tag: 'unknown' }, { tag: 'pending', with: { va_number: '99' } }]) { // what was shown stands
    await put(s, { inquire: say })
    await s.post(`/v1/payments/${again.id}/sync`, '', { headers: DEMO })
    assert.deepEqual((await shown(s, again)).instructions, way)
  }
  await s.stop()
})
