// jobs.enqueue: what a trusted script puts off, and what its job finds when it is due.
import { test } from 'node:test'
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Server, root, until } from './server.mjs'

const LATER = `return { api = 1, kind = "repeatable", run = function(job)
  log.info("later_ran", { reference = json.encode { args = job.args, attempt = job.attempt, due_at = job.due_at } })
  if job.args.fails and job.attempt <= job.args.fails then error("not yet") end
end }`
const ONCE = `return { api = 1, kind = "once", run = function(job) log.info("once_ran") error("stumbled") end,
  lost = function(job) log.info("once_lost") end }`
// The options come as Lua text, so that a test says exactly what a script would.
const ASKS = `return { api = 1, routes = { ["POST /test/enqueue"] = { auth = "none", run = function(req)
  local want = req:json()
  local ok, id, text, code = pcall(jobs.enqueue, want.name, want.args, want.options)
  return 200, { ok = ok, id = id, text = text, code = code }
end } } }`

const start = async () => {
  const dir = root()
  writeFileSync(join(dir, 'scripts/jobs/later.lua'), LATER)
  writeFileSync(join(dir, 'scripts/jobs/once.lua'), ONCE)
  writeFileSync(join(dir, 'scripts/api/asks.lua'), ASKS)
  const s = await Server.start({ dir })
  s.enqueue = async (name, args, options) => (await s.post('/test/enqueue', { name, args, options })).json()
  s.advance = async advance => assert.equal((await s.post('/sandbox/_clock', { advance })).status, 200)
  s.ran = () => s.events('later_ran').map(l => JSON.parse(l.reference))
  return s
}

test('at once, and at its time', async () => {
  const s = await start()
  const now = await s.enqueue('later', { n: 1, list: [1, 2], text: 'a\u00e9' })
  assert.match(now.id, /^job_[0-9a-z]+$/)
  await until('it ran', () => s.ran().length === 1)
  assert.deepEqual(s.ran()[0].args, { list: [1, 2], n: 1, text: 'aé' })
  assert.equal(s.ran()[0].attempt, 1)
  const before = Date.now()
  assert.ok((await s.enqueue('scripts/jobs/later.lua', undefined, { at: '10m' })).id)
  assert.ok((await s.enqueue('later', { n: 3 }, { at: before + 20 * 60e3 })).id)
  await s.advance('9m')
  assert.equal(s.ran().length, 1)
  await s.advance('2m')
  await until('the one of ten minutes', () => s.ran().length === 2)
  assert.deepEqual(s.ran()[1].args, {})
  assert.ok(Math.abs(s.ran()[1].due_at - before - 10 * 60e3) < 10e3)
  await s.advance('10m')
  await until('the other', () => s.ran().length === 3)
  assert.equal(s.ran()[2].due_at, before + 20 * 60e3)
  await s.stop()
})

test('one open job of a key, which is the one that stands', async () => {
  const s = await start()
  const first = await s.enqueue('later', { n: 1 }, { at: '10m', unique: 'k' })
  const second = await s.enqueue('later', { n: 2 }, { at: '5m', unique: 'k' })
  assert.equal(second.id, first.id)
  await s.advance('15m')
  await until('it ran', () => s.ran().length === 1)
  assert.equal(s.ran()[0].args.n, 1)
  const third = await s.enqueue('later', { n: 3 }, { unique: 'k' })
  assert.notEqual(third.id, first.id, 'the key is free again')
  await until('it ran', () => s.ran().length === 2)
  await s.stop()
})

test('a job that fails comes again by its backoff, and ends', async () => {
  const s = await start()
  await s.enqueue('later', { fails: 9 }, { backoff: { first: '1h', factor: 2, jitter: 0, tries: 3 } })
  await until('the first try', () => s.events('job_failed').length === 1)
  await s.advance('59m')
  assert.equal(s.ran().length, 1)
  await s.advance('2m')
  assert.equal(s.ran().length, 2)
  await s.advance('117m')
  assert.equal(s.ran().length, 2)
  await s.advance('4m')
  await s.advance('24h')
  assert.deepEqual(s.ran().map(r => r.attempt), [1, 2, 3])
  await s.enqueue('once', {}, { once: true })
  await until('it ran', () => s.events('once_ran').length === 1)
  await s.advance('24h')
  assert.equal(s.events('once_ran').length, 1, 'what may run once is not tried again')
  await s.stop()
})

test('what does not fit is said, and harms nobody', async () => {
  const s = await start()
  for (const [name, args, options, pattern] of [
    ['', {}, {}, /a script's name/],
    ['x'.repeat(300), {}, {}, /a script's name/],
    ['later', {}, { at: 'soon' }, /at is a duration/],
    ['later', {}, { at: true }, /at is a duration/],
    ['later', {}, { at: 1.5 }, /at is a duration/],
    ['later', {}, { unique: 7 }, /unique is a text/],
    ['later', {}, { priority: 'x' }, /priority is a whole number/],
    ['later', {}, { priority: 2 ** 40 }, /priority is a whole number/],
    ['later', {}, { once: 'no' }, /once is true or false/],
    ['later', {}, { backoff: { first: 'x' } }, /first/],
    ['later', {}, { backoff: 'x' }, /backoff is a table/],
    ['later', {}, { backoff: { factor: -1 } }, /factor/],
    ['later', {}, { uniqe: 'k' }, /no option uniqe/],
    ['later', {}, ['x'], /no option 1/],
    ['later', {}, 'x', /the options are a table/]]) {
    const r = await s.enqueue(name, args, options)
    assert.equal(r.ok, false, JSON.stringify([name, options]))
    assert.match(r.id, pattern)
  }
  for (const options of [{ unique: 'a\u0000b' }, { at: -5 }, { at: 9e15 }]) {
    const r = await s.enqueue('later', {}, options)
    assert.equal(r.code, 'E_INVAL', JSON.stringify([options, r]))
  }
  assert.equal(s.ran().length, 0)
  await s.enqueue('later', {})
  await until('the next one runs', () => s.ran().length === 1)
  await s.stop()
})

test('a provider account is asked within its budget, and all are asked in the end', async () => {
  const s = await Server.start({ dir: root('channels', 'rules', 'scripts'), env: { LUWAK_ASK_RATE: '2' } })
  const auth = { headers: { authorization: 'Basic ' + Buffer.from('sk_test_demo:').toString('base64') } }
  const advance = async by => assert.equal((await s.post('/sandbox/_clock', { advance: by })).status, 200)
  const asked = async () => Number(/luwak_script_calls_total\{script="channels\/midtrans_bca_va.lua",[^}]*\} (\d+)/.exec((await s.get('/metrics')).body)[1])
  for (let i = 0; i < 6; i++) {
    const made = await s.post('/v1/payments', { order_id: `asked-${i}`, amount: 50000, method: 'virtual_account', bank: 'bca', expires_in: 86400 }, auth)
    assert.equal(made.status, 201)
  }
  const created = await asked()
  await advance('3m') // each is to be asked after two minutes, one a minute may be
  const first = await asked() - created
  assert.ok(first >= 1 && first <= 2, `${first} questions in the first minutes`)
  await advance('8m')
  assert.ok(await asked() - created >= 6, 'each in its turn')
  await s.stop()
})
