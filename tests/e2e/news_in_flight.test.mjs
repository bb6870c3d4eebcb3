// What becomes of a payment while its provider is being asked: the answer is no less true for that.
import { test } from 'node:test'
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { LUWAK, cleanEnv } from './luwak.mjs'
import { Server, root, sleep, until } from './server.mjs'

const DEMO = { authorization: 'Basic ' + Buffer.from('sk_test_demo:').toString('base64') }
const MIDTRANS = { authorization: 'Basic ' + Buffer.from('SB-Mid-server-demo:').toString('base64') }
// A provider that answers when it is told to: its charge is known to it only then, as with a real one.
const CHANNEL = effect => `
local URL = "https://held.example/"
local function ask(ctx, path) local a = ctx.http.get { url = URL .. path } return a and a.status == 200 and a:json() or nil, a and a.status end
return { api = 1, title = "Held", provider = "held", method = "${effect === 'charge' ? 'card' : 'retail'}", effect = "${effect}", lookup = "ours",
  hosts = { sandbox = "held.example", staging = "held.example", production = "held.example" },
  expires = { default = "1d", max = "2d", grace = "1m" }, poll = { first = "2m", factor = 2, max = "1h" },
  create = function(ctx, op)
    local a = ctx.http.effect { method = "POST", url = URL .. "make/" .. op.reference, json = { amount = op.input.amount } }
    if not a or a.status ~= 200 then return unknown { message = a and "it said " .. a.status } end
    return a:json().paid and success { amount = op.input.amount } or pending { payment_code = "123" }
  end,
  inquire = function(ctx, op)
    local t, status = ask(ctx, "status/" .. (op.input.reference or op.reference))
    if op.kind == "cancel" then
      if t then return failed { category = "INVALID_REQUEST" } end
      return status == 404 and success {} or unknown {}
    end
    if t then return t.paid and success { amount = op.input.amount } or pending {} end
    return status == 404 and not_created {} or unknown {}
  end,
  cancel = function(ctx, op)
    local a = ctx.http.effect { method = "POST", url = URL .. "cancel/" .. op.input.reference, json = {} }
    return a and a.status == 404 and success {} or failed { category = "INVALID_REQUEST" }
  end,
  notify = function(ctx, request)
    ctx.verify(true)
    ctx.ask { reference = json.decode(request.body).reference }
    return reply(503, {})
  end }`
const SANDBOX = `
local function read(ctx, key) local v = ctx.store.get(key) return v and json.decode(v) end
local function held(ctx, what) while ctx.store.get("hold " .. what) == "yes" do engine.sleep(20) end end
return { api = 1, provider = "held", title = "Held", routes = {
  ["POST /make/:ref"] = function(ctx, request)
    ctx.store.put("asked make", "yes")
    held(ctx, "make")
    if ctx.store.get("breaks") == "yes" then return reply(500, {}) end
    local t = { paid = ctx.store.get("pays") == "yes" }
    ctx.store.put("tx " .. request.params.ref, json.encode(t))
    return reply(200, t)
  end,
  ["GET /status/:ref"] = function(ctx, request)
    local t = read(ctx, "tx " .. request.params.ref)
    ctx.store.put("asked status", "yes")
    ctx.store.put("questions", tostring(1 + tonumber(ctx.store.get("questions") or 0)))
    held(ctx, "status")
    if ctx.store.get("mute") == "yes" then return reply(500, {}) end
    return reply(t and 200 or 404, t or {})
  end,
  ["POST /cancel/:ref"] = function(ctx, request)
    ctx.store.put("asked cancel", "yes")
    return reply(read(ctx, "tx " .. request.params.ref) and 409 or 404, {})
  end,
  ["POST /set"] = function(ctx, request)
    local want = json.decode(request.body)
    ctx.store.put(want.key, want.value)
    return reply(200, {})
  end,
  ["POST /get"] = function(ctx, request) return reply(200, { value = ctx.store.get(json.decode(request.body).key) or "none" }) end,
} }`
const CHOOSE = `return { api = 1, routes = { ["POST /test/choose/:id"] = { auth = "merchant", timeout = "60s",
  run = function(req) return core.payment.choose { merchant = req.merchant, id = req.params.id, body = req.body } end } } }`

async function start (effect, env) {
  const dir = root('channels', 'rules', 'scripts')
  for (const [path, text] of Object.entries({ 'channels/held_way.lua': CHANNEL(effect), 'scripts/sandbox/held.lua': SANDBOX, 'scripts/api/choose.lua': CHOOSE })) {
    mkdirSync(join(dir, path, '..'), { recursive: true })
    writeFileSync(join(dir, path), text)
  }
  const s = await Server.start({ dir, env })
  s.set = (key, value) => s.post('/sandbox/held/set', { key, value })
  s.asked = what => until(`${what} was asked`, async () => (await s.post('/sandbox/held/get', { key: `asked ${what}` })).json().value === 'yes')
  s.merchant = (path, body) => s.post(path, body, { headers: DEMO })
  s.payment = async id => (await s.get(`/v1/payments/${id}`, { headers: DEMO })).json()
  return s
}
async function stopped (s) {
  await s.stop()
  const r = spawnSync(LUWAK, ['verify', '--simulated', '--data', s.data], { env: cleanEnv({}), encoding: 'utf8' })
  assert.equal(r.status, 0, r.stdout + r.stderr)
}

test('what a provider tells of a payment that is over is asked about for a day, and a person hears of it', async () => {
  const s = await start('offer')
  const p = (await s.merchant('/v1/payments', { order_id: 't-1', amount: 50000, channel: 'held_way' })).json()
  const way = (await s.payment(p.id)).attempts[0].id
  const advance = async time => assert.equal((await s.post('/sandbox/_clock', { advance: time })).status, 200)
  const tell = async () => assert.equal((await s.post('/callbacks/held', { reference: 't-1', n: Math.random() })).status, 503)
  const questions = async () => Number((await s.post('/sandbox/held/get', { key: 'questions' })).json().value)
  const late = async () => (await s.get('/v1/events?limit=100', { headers: DEMO })).json().data.filter(e => e.type === 'payment.late').length
  await advance('26h')
  assert.equal((await s.payment(p.id)).status, 'expired')
  assert.equal(s.events('told_and_not_confirmed').length, 0)

  await s.set('mute', 'yes')
  await tell()
  await advance('1h')
  const line = await s.logged('told_and_not_confirmed', l => l.minutes >= 30)
  assert.deepEqual([line.operation, line.account, line.level], [way, 'held', 'warn'])
  await s.set('mute', 'no')
  await advance('1h')
  const before = await questions()
  await advance('3h')
  assert.equal(await questions(), before, 'answered: it is not paid')
  assert.equal(s.events('told_and_given_up').length, 0)

  await s.set('mute', 'yes')
  await tell()
  await advance('27h')
  const gave = await s.logged('told_and_given_up')
  assert.deepEqual([gave.operation, gave.account, gave.level], [way, 'held', 'error'])
  const most = await questions()
  assert.ok(most - before < 35, `${most - before} questions`)
  await advance('50h')
  assert.equal(await questions(), most, 'nobody asks any more')
  assert.equal(s.events('told_and_given_up').length, 1)

  // told again: asked again; and once more where the answer that is on its way is older than the news
  await s.set('mute', 'no')
  await s.set('asked status', 'no')
  await s.set('hold status', 'yes')
  await tell()
  await s.asked('status')
  await s.set('tx t-1', '{"paid":true}')
  await tell()
  assert.equal(await late(), 0)
  await s.set('hold status', 'no')
  await until('the newer news is asked about', async () => await late() === 1)
  await stopped(s)
})

test('news that comes while the last question of an open payment is on its way is asked about all the same', async () => {
  const s = await start('offer')
  const p = (await s.merchant('/v1/payments', { order_id: 't-2', amount: 50000, channel: 'held_way' })).json()
  await s.post('/sandbox/_clock', { advance: '1435m' })
  await s.set('asked status', 'no')
  await s.set('hold status', 'yes')
  const over = s.post('/sandbox/_clock', { advance: '15m' }) // its time is over: what is unpaid now has expired
  await s.asked('status')
  await s.set('tx t-2', '{"paid":true}')
  assert.equal((await s.post('/callbacks/held', { reference: 't-2' })).status, 503)
  await s.set('hold status', 'no')
  await over
  assert.equal(s.events('told_and_not_confirmed').length, 0)
  await until('the money is found', async () => (await s.payment(p.id)).status === 'success' ||
    (await s.get('/v1/events?limit=100', { headers: DEMO })).json().data.some(e => e.type === 'payment.late'))
  await stopped(s)
})

test('a charge that is on its way is not cancelled behind its back', async () => {
  const s = await start('charge', { LUWAK_CREATE_WAIT: '1s' })
  await s.set('hold make', 'yes')
  await s.set('pays', 'yes')
  const p = (await s.merchant('/v1/payments', { order_id: 'f-1', amount: 50000, channel: 'held_way' })).json()
  assert.equal(p.status, 'processing')
  const early = await s.merchant(`/v1/payments/${p.id}/cancel`)
  assert.equal(early.status, 409, early.body)
  assert.equal(early.json().code, 'INVALID_STATE')
  assert.equal((await s.post('/sandbox/held/get', { key: 'asked cancel' })).json().value, 'none')
  const late = s.merchant(`/v1/payments/${p.id}/cancel`)
  await sleep(200)
  await s.set('hold make', 'no')
  assert.equal((await late).status, 409, 'it is paid')
  const paid = await s.payment(p.id)
  assert.equal(paid.status, 'success')
  assert.equal(paid.amount_paid, 50000)
  await stopped(s)
})

test('that nothing is there counts, of a charge, once it could have got there', async () => {
  const s = await start('charge')
  await s.set('breaks', 'yes')
  const charge = async order => (await s.merchant('/v1/payments', { order_id: order, amount: 50000, channel: 'held_way' })).json()
  const sync = async p => (await s.merchant(`/v1/payments/${p.id}/sync`)).json().status
  const advance = async time => assert.equal((await s.post('/sandbox/_clock', { advance: time })).status, 200)
  const [paid, cancelled, none] = [await charge('h-1'), await charge('h-2'), await charge('h-3')]
  for (const p of [paid, cancelled, none]) {
    assert.equal(p.status, 'processing')
    assert.equal(await sync(p), 'processing', 'not there yet')
    const line = await s.logged('operation_unknown', l => l.payment === p.id)
    assert.deepEqual([line.operation, line.kind, line.channel, line.account, line.sent, line.said, line.next],
      [p.attempts[0].id, 'create', 'held_way', 'held', true, 'it said 500', 'the provider is asked about it'])
  }
  const cancel = await s.merchant(`/v1/payments/${cancelled.id}/cancel`)
  assert.deepEqual([cancel.status, cancel.json().status], [200, 'processing'], cancel.body)
  for (const p of [paid, cancelled]) await s.set(`tx ${p.attempts[0].reference}`, '{"paid":true}')
  assert.equal(await sync(paid), 'success')
  await advance('3m')
  assert.equal(await sync(none), 'failed')
  await advance('1h')
  assert.equal((await s.payment(cancelled.id)).status, 'success')
  await stopped(s)
})

test('a way that was paid while the payer left it: what the provider said meanwhile counts', async () => {
  const s = await start('offer')
  const p = (await s.merchant('/v1/payments', { order_id: 'g-1', amount: 50000, channel: 'held_way' })).json()
  assert.equal(p.status, 'pending')
  await s.set(`tx ${p.attempts[0].reference}`, '{"paid":true}')
  await s.set('hold status', 'yes')
  const asked = s.merchant(`/v1/payments/${p.id}/sync`)
  await s.asked('status')
  const other = await s.merchant(`/test/choose/${p.id}`, { method: 'qris' })
  assert.equal(other.json().channel, 'midtrans_qris', other.body)
  await s.set('hold status', 'no')
  assert.equal((await asked).status, 200)
  const paid = await until('it is paid', async () => { const now = await s.payment(p.id); return now.status === 'success' && now })
  assert.deepEqual([paid.amount_paid, paid.channel, ...paid.attempts.map(a => a.status)], [50000, 'held_way', 'success', 'superseded'])
  const path = `/sandbox/midtrans/v2/${paid.attempts[1].reference}/status`
  await until('the other way is withdrawn', async () => (await s.get(path, { headers: MIDTRANS })).json().transaction_status === 'cancel')
  await stopped(s)
})
