// The walking proof: an operation that asks a caged channel, its simulator's books, crashes at every
// point between intent and answer, the clock, and jobs that fall due when it is moved.
import { test } from 'node:test'
import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Server, WALLET, root, until } from './server.mjs'

const KEY = 'the-key-of-the-demo-wallet'
const env = { DEMO_KEY: KEY }

const create = (s, reference, phone = '081200001234', amount = 25000) =>
  s.post('/v1/operations', { channel: 'demo_wallet', reference, input: { amount, phone } })
const clock = (s, body) => s.post('/sandbox/_clock', body)

// What the wallet has in its books about a reference, asked as the channel asks.
async function books (s, reference) {
  const r = await s.get(`/sandbox/demo/v1/charges/${reference}`, { headers: { 'x-signature': createHmac('sha256', KEY).update(reference).digest('hex') } })
  return r.status === 404 ? null : r.json()
}

test('success, refused, waiting; asked again until it is known', async () => {
  const s = await Server.start({ env })
  let r = await create(s, 'inv-1')
  assert.equal(r.status, 201)
  assert.equal(r.json().status, 'success')
  assert.equal(r.json().data.charge_id, (await books(s, 'inv-1')).id)

  r = await create(s, 'inv-2', '081200000000')
  assert.equal(r.status, 201)
  assert.equal(r.json().status, 'failed')
  assert.equal(r.json().result.category, 'INSUFFICIENT_BALANCE')
  assert.equal((await books(s, 'inv-2')).status, 'REFUSED')

  r = await create(s, 'inv-3', '081200001111')
  assert.equal(r.json().status, 'processing')
  const { id } = r.json()
  assert.equal((await clock(s, { advance: '10m' })).status, 200)
  assert.equal((await s.get(`/v1/operations/${id}`)).json().status, 'processing', 'asked, and still waiting')

  for (const [body, status, code] of [
    [{ channel: 'nobody', input: {} }, 400, 'INVALID_REQUEST'], [{}, 400, 'INVALID_REQUEST']]) {
    const bad = await s.post('/v1/operations', body)
    assert.equal(bad.status, status)
    assert.equal(bad.json().code, code)
  }
  assert.equal((await s.post('/v1/operations', '{"channel":', { headers: { 'content-type': 'application/json' } })).status, 400)
  assert.equal((await s.get('/v1/operations/op_none')).status, 404)
  await s.stop()
})

test('what has the wrong type is a bad request, and says which field', async () => {
  const s = await Server.start({ env })
  const channel = 'demo_wallet'
  for (const [body, param, code] of [
    ['1'], ['null'], ['[1]'], ['"x"'],
    [{ channel: 1 }, 'channel'], [{ channel: 'demo\0wallet' }, 'channel'], [{ channel, other: 1 }, 'other'],
    ...[1, ['a'], '', 'a'.repeat(65), 'a\0b', 'a\nb', '../x?y#z', false].map(reference => [{ channel, reference }, 'reference']),
    ...[[1], false, 'x', 7].map(input => [{ channel, input }, 'input']),
    [{ channel, input: { phone: 'x'.repeat(70000) } }, 'input'],
    [{ channel, input: { amount: 5000 } }, 'phone'],
    [{ channel, input: { amount: 5000, phone: 812 } }, 'phone'],
    [{ channel, input: { amount: 5000, phone: '0812', fone: '0812' } }, 'fone'],
    [{ channel, input: { phone: '0812' } }, 'amount'],
    [{ channel, input: { phone: '0812', amount: '5000' } }, 'amount'],
    [{ channel, input: { phone: '0812', amount: 999 } }, 'amount', 'LIMIT_EXCEEDED'],
    [{ channel, input: { phone: '0812', amount: 20000001 } }, 'amount', 'LIMIT_EXCEEDED']]) {
    const r = await s.post('/v1/operations', body)
    assert.equal(r.status, 400, JSON.stringify(body).slice(0, 80))
    assert.equal(r.json().code, code ?? 'INVALID_REQUEST')
    assert.equal(r.json().param, param)
  }
  await s.stop()
})

test('the clock takes one step of ten years at most', async () => {
  const s = await Server.start({ env })
  for (const body of [{ set: '9999-01-01T00:00:00Z' }, { advance: '1s', set: '2030-01-01T00:00:00Z' }, { advance: '1s', x: 1 }, {}, []]) {
    assert.equal((await clock(s, body)).status, 400, JSON.stringify(body))
  }
  assert.equal((await clock(s, { advance: '1s' })).status, 200)
  await s.stop()
})

test('one advance of the clock at a time: who comes meanwhile is refused, however often', async () => {
  const dir = root(...WALLET)
  writeFileSync(join(dir, 'scripts/jobs/hourly.lua'), 'return { api = 1, every = "1h", kind = "repeatable", run = function() log.info("begun") engine.sleep("2s") log.info("over") end }')
  const s = await Server.start({ env, dir })
  const first = clock(s, { advance: '1h' })
  await s.logged('begun')
  for (let i = 0; i < 3; i++) {
    const r = await clock(s, { advance: '1h' })
    assert.equal(r.status, 503, r.body)
    assert.equal(r.json().code, 'UNAVAILABLE')
  }
  assert.equal(s.events('over').length, 0, 'the refused ones came while it was under way')
  assert.equal((await first).status, 200)
  const now = Date.parse((await clock(s, { advance: '1s' })).json().now)
  assert.ok(Math.abs(now - Date.now() - 3600e3) < 60e3, 'only one of them counted')
  await s.stop()
})

test('an endless job does not stop the routes', async () => {
  const dir = root(...WALLET)
  writeFileSync(join(dir, 'scripts/jobs/endless.lua'), 'return { api = 1, every = "1s", kind = "repeatable", run = function() while true do end end }\n')
  const s = await Server.start({ env, dir })
  await until('the warning', () => s.log.some(l => l.event === 'script_runs_long' && l.script === 'scripts/jobs/endless.lua'))
  const began = Date.now()
  assert.equal((await s.get('/v1/ping')).status, 200)
  await s.stop()
  assert.ok(Date.now() - began < 8000)
})

test('the same reference twice is one charge', async () => {
  const s = await Server.start({ env })
  const all = await Promise.all(Array.from({ length: 8 }, () => create(s, 'twice')))
  assert.deepEqual(all.map(r => r.status).sort(), [201, 409, 409, 409, 409, 409, 409, 409])
  assert.equal(all.find(r => r.status === 409).json().code, 'DUPLICATE_TRANSACTION')
  await s.stop()
})

const FIND = `return { api = 1, routes = { ["GET /test/operations/:reference"] = { auth = "none", run = function(req)
  return 200, store.get("operation_by_reference", "demo", req.params.reference)
end } } }`

// Where the process dies, and what the wallet's books and ours must say in the end.
const CRASHES = [
  ['operation.intent', 'failed', null], // on disk, but nothing went out
  ['operation.decided', 'success', 'PAID'], // the wallet has answered, nobody here wrote it
  ['operation.moved', 'success', 'PAID'], // written, nobody told the caller
]
for (const [point, status, charged] of CRASHES) {
  test(`kill -9 at ${point}: asked after the restart, charged once`, async () => {
    const dir = root(...WALLET)
    writeFileSync(join(dir, 'scripts/api/find.lua'), FIND)
    const first = await Server.start({ dir, env: { ...env, LUWAK_FAULT: `${point}=kill` } })
    await assert.rejects(create(first, 'crash-1'))
    assert.equal((await first.ended).signal, 'SIGKILL')

    const s = await Server.start({ dir, data: first.data, env })
    const before = await books(s, 'crash-1')
    assert.equal(before?.status ?? null, charged)
    assert.equal((await create(s, 'crash-1')).status, 409, 'the caller tries again: known already')
    assert.equal((await clock(s, { advance: '3m' })).status, 200)
    const list = await s.get('/test/operations/crash-1')
    const op = list.json()
    assert.equal(op.status, status)
    assert.deepEqual(await books(s, 'crash-1'), before, 'asking charges nothing')
    await s.stop()
  })
}

test('a wallet that answers nothing is asked, never charged again', async () => {
  const dir = root(...WALLET)
  // a simulator that books, then fails, the first time
  const sandbox = `
local real = {}
return { api = 1, provider = "demo", title = "forgetful", config = { key = secret "DEMO_KEY" }, routes = {
  ["POST /v1/charges"] = function(ctx, request)
    local want = json.decode(request.body)
    local times, version = ctx.store.get("times " .. want.reference)
    ctx.store.put("times " .. want.reference, tostring(math.tointeger(times or 0) + 1))
    ctx.store.put("charge " .. want.reference, json.encode { id = "x", reference = want.reference, status = "PAID", amount = want.amount })
    return reply(200, "<html>rubbish</html>")
  end,
  ["GET /v1/charges/:reference"] = function(ctx, request)
    return reply(200, json.decode((ctx.store.get("charge " .. request.params.reference))))
  end,
  ["GET /times/:reference"] = function(ctx, request) return reply(200, { times = ctx.store.get("times " .. request.params.reference) }) end,
} }`
  writeFileSync(join(dir, 'scripts/sandbox/demo.lua'), sandbox)
  const s = await Server.start({ dir, env })
  const r = await create(s, 'lost-1')
  assert.equal(r.status, 201)
  assert.equal(r.json().status, 'unknown')
  assert.equal((await clock(s, { advance: '2m' })).status, 200)
  assert.equal((await s.get(`/v1/operations/${r.json().id}`)).json().status, 'success')
  assert.equal((await s.get('/sandbox/demo/times/lost-1')).json().times, '1')
  await s.stop()
})

test('an amount that nobody can have paid is no decision: what was sent is unknown, an answer changes nothing', async () => {
  const dir = root(...WALLET)
  writeFileSync(join(dir, 'channels/odd.lua'), `local function odd(op) local n = op.reference:match "~(.*)" return success { amount = tonumber(n) or n } end
    return { api = 1, title = "odd", provider = "odd", method = "card", effect = "charge", hosts = {}, lookup = "ours",
      create = function(ctx, op) return op.reference:find "later" and processing {} or odd(op) end, inquire = function(ctx, op) return odd(op) end }`)
  const s = await Server.start({ dir })
  const make = async reference => (await s.post('/v1/operations', { channel: 'odd', reference, input: { amount: 5000 } })).json()
  for (const amount of [-1, 0, 1e15 + 1, 'much']) {
    const r = await make(`odd~${amount}`)
    assert.deepEqual([r.status, r.result?.amount], ['unknown', undefined], JSON.stringify(r))
    const waits = await make(`later~${amount}`)
    assert.equal((await clock(s, { advance: '3m' })).status, 200)
    assert.equal((await s.get(`/v1/operations/${waits.id}`)).json().status, 'processing', 'asked, and not believed')
  }
  await s.logged('operation_undecided', l => /amount is no integer of 0 or more/.test(l.error) && l.function === 'inquire')
  for (const amount of [1, 2, 1e15]) assert.equal((await make(`odd~${amount}`)).status, 'success')
  await s.stop()
})

test('the clock: advance, set, never back, kept over a restart', async () => {
  const s = await Server.start({ env })
  const now = r => Date.parse(r.json().now)
  let r = await clock(s, { advance: '24h' })
  const moved = await s.logged('clock_moved')
  assert.deepEqual([moved.now.slice(0, 10), moved.seconds >= 86400, moved.cut_off], [r.json().now.slice(0, 10), true, false])
  assert.ok(Date.parse(moved.now) <= Date.parse(r.json().now))
  assert.equal(r.status, 200)
  assert.ok(Math.abs(now(r) - Date.now() - 24 * 3600e3) < 30e3, r.body)
  const goal = new Date(Date.now() + 48 * 3600e3).toISOString()
  r = await clock(s, { set: goal })
  assert.equal(r.status, 200)
  assert.ok(now(r) >= Date.parse(goal))
  for (const body of [{ set: new Date(Date.now() + 3600e3).toISOString() }, { advance: '-1h' }, { advance: 'soon' }, { set: 'tomorrow' }, {}, { advance: 5 }]) {
    const bad = await clock(s, body)
    assert.equal(bad.status, 400, JSON.stringify(body) + bad.body)
    assert.equal(bad.json().code, 'INVALID_REQUEST')
  }
  assert.equal((await s.post('/sandbox/_clock', 'x')).status, 400)
  assert.equal((await s.get('/sandbox/_clock')).status, 405)
  await s.kill() // the offset was on disk before it counted
  const again = await Server.start({ dir: s.dir, data: s.data, env })
  r = await clock(again, { advance: '1s' })
  assert.ok(now(r) >= Date.parse(goal), r.body)
  await again.stop()
})

test('scheduled jobs run when the clock reaches them, once per due time', async () => {
  const dir = root(...WALLET, 'scripts/jobs/purge_jobs.lua')
  writeFileSync(join(dir, 'scripts/jobs/hourly.lua'), 'return { api = 1, every = "1h at :15", kind = "repeatable", run = function(job) log.info("hourly_ran", { reference = tostring(job.due_at) }) end }')
  const s = await Server.start({ dir, env })
  await create(s, 'old-1')
  assert.equal((await clock(s, { advance: '24h' })).status, 200)
  const ran = s.events('hourly_ran').length
  await until('24 runs', () => s.events('hourly_ran').length >= 24)
  assert.equal(s.events('hourly_ran').length, 24, `${ran}`)
  assert.equal(new Set(s.events('hourly_ran').map(l => l.reference)).size, 24)
  assert.equal(s.events('jobs_purged').length, 1)
  await s.stop()

  const again = await Server.start({ dir, data: s.data, env })
  assert.equal((await clock(again, { advance: '60d' })).status, 200)
  assert.ok(again.events('jobs_purged').length >= 60)
  writeFileSync(join(dir, 'scripts/api/count.lua'), 'return { api = 1, routes = { ["GET /test/jobs"] = { auth = "none", run = function(req) return 200, store.query("jobs_count") end } } }')
  const jobs = await until('the route', async () => { const r = await again.get('/test/jobs'); return r.status === 200 && r.json() })
  const done = jobs.find(j => j.state === 'done').jobs
  assert.ok(done > 700 && done < 830, `${done}: 25 a day, of 31 days`)
  await again.stop()
})

test('a walk of the clock ends with its client', async () => {
  const dir = root(...WALLET)
  writeFileSync(join(dir, 'scripts/jobs/often.lua'), 'return { api = 1, every = "1m", kind = "repeatable", run = function() log.info("walked") end }\n')
  const s = await Server.start({ dir, env })
  const leaves = new AbortController()
  const walk = fetch(`${s.base}/sandbox/_clock`, { method: 'POST', body: '{"advance":"3000d"}', signal: leaves.signal }).catch(e => e)
  await s.logged('walked')
  assert.equal((await clock(s, { advance: '1s' })).status, 503)
  leaves.abort()
  await walk
  await until('the clock is free', async () => (await clock(s, { advance: '1s' })).status === 200)
  await s.stop()
})
