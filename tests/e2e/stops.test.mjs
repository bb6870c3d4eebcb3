// A script can be wrong, slow or greedy: it fails alone, in a server that goes on.
import { test } from 'node:test'
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Server, WALLET, root, sleep } from './server.mjs'

const BAD = `-- the ways to be bad
local function route(run) return { auth = "none", run = run } end
local function deep(n) return 1 + deep(n + 1) end
local kept = {}
return { api = 1, routes = {
  ["GET /bad/loop"] = route(function(req) while true do end end),
  ["GET /bad/held"] = route(function(req) while true do pcall(function() while true do end end) end end),
  ["GET /bad/memory"] = route(function(req) local t = {} -- it waits, so that its second never ends first
    while true do t[#t + 1] = ("x"):rep(100000) .. #t if #t % 32 == 0 then engine.sleep("1ms") end end end),
  ["GET /bad/error"] = route(function(req)
    error("the drawer is empty")
  end),
  ["GET /bad/table"] = route(function(req) error({ code = 7 }) end),
  ["GET /bad/deep"] = route(function(req) return 200, { n = deep(1) } end),
  ["GET /bad/nothing"] = route(function(req) end),
  ["GET /bad/body"] = route(function(req) return 200, function() end end),
  ["GET /bad/header"] = route(function(req) return 200, "x", { ["X-A"] = "a\\r\\nX-B: b" } end),
  ["GET /bad/pattern"] = route(function(req) return 200, ("a"):rep(60000):find((".-"):rep(30) .. "b") end),
  ["GET /bad/late"] = { auth = "none", timeout = "1s", run = function(req) engine.sleep("20s") return 200, "late" end },
  ["GET /bad/late_error"] = { auth = "none", timeout = "1s", run = function(req) pcall(engine.sleep, "20s") error("after the deadline") end },
  ["GET /good"] = route(function(req) return 200, { good = true } end),
  ["GET /good/slow"] = route(function(req) engine.sleep("300ms") return 200, { good = true } end),
} }
`
const start = () => {
  const dir = root(...WALLET)
  writeFileSync(join(dir, 'scripts/api/bad.lua'), BAD)
  return Server.start({ dir, args: ['--workers', '1'] })
}

// Asks `path` while others go on; the answer, and how many others were answered before it.
async function besides (s, path) {
  let going = true
  let answered = 0
  const others = (async () => {
    while (going) {
      const r = await s.get('/good')
      assert.equal(r.status, 200)
      answered++
      await sleep(5)
    }
  })()
  const r = await s.get(path)
  going = false
  const before = answered
  await others
  return { r, before }
}

function isOurFault (s, r, pattern) {
  assert.equal(r.status, 500, r.body)
  assert.equal(r.headers['content-type'], 'application/problem+json')
  const body = r.json()
  assert.equal(body.request_id, r.headers['x-request-id'])
  assert.deepEqual(Object.keys(body).sort(), ['code', 'detail', 'request_id', 'status', 'title', 'type'])
  assert.doesNotMatch(r.body, /bad\.lua|drawer|traceback|budget/, 'no internals')
  return s.logged('route_failed', l => l.request === body.request_id).then(line => {
    assert.match(line.script, /^scripts\/api\/bad\.lua@[0-9a-f]{12}$/)
    assert.match(line.error, pattern)
    assert.equal(line.level, 'error')
  })
}

test('errors: 500 with the request id, the traceback in the log', async () => {
  const s = await start()
  await isOurFault(s, await s.get('/bad/error'), /scripts\/api\/bad\.lua:11: the drawer is empty\nstack traceback:\n/)
  await isOurFault(s, await s.get('/bad/table'), /the error is a table value/)
  await isOurFault(s, await s.get('/bad/deep'), /stack overflow|budget/)
  await isOurFault(s, await s.get('/bad/nothing'), /returned nothing/)
  await isOurFault(s, await s.get('/bad/body'), /body is a text or a table/)
  await isOurFault(s, await s.get('/bad/header'), /control characters/)
  assert.equal((await s.get('/good')).status, 200)
  const { body } = await s.get('/metrics')
  assert.match(body, /^luwak_script_calls_total\{script="scripts\/api\/bad\.lua",outcome="error"\} 6$/m)
  await s.stop()
})

test('loops and hogs end, and others are answered meanwhile', async () => {
  const s = await start()
  await s.get('/good')
  for (const [path, pattern] of [['/bad/loop', /budget: ran \d+ ms/], ['/bad/held', /budget: ran \d+ ms/], ['/bad/pattern', /pattern|budget/]]) {
    const { r, before } = await besides(s, path)
    await isOurFault(s, r, pattern)
    // held for its second of computing, the worker would answer one before and none meanwhile
    if (path === '/bad/loop') assert.ok(before >= 5, `${path}: ${before} others were answered`)
  }
  const before = s.rss()
  for (let i = 0; i < 5; i++) await isOurFault(s, await s.get('/bad/memory'), /memory/)
  // a trusted state may have 256 MB; five that were given up do not add up
  if (!/asan|tsan/.test(process.env.LUWAK ?? '')) assert.ok(s.rss() - before < 320 << 20, `${(s.rss() - before) >> 20} MB more`)
  assert.equal((await s.get('/good')).status, 200)
  assert.match((await s.get('/metrics')).body, /^luwak_script_calls_total\{script="scripts\/api\/bad\.lua",outcome="budget"\} \d+$/m)
  await s.stop()
})

test('ten loops at once starve nobody', async () => {
  const s = await start()
  await s.get('/good')
  const loops = Promise.all(Array.from({ length: 10 }, () => s.get('/bad/loop')))
  let over = false
  loops.then(() => { over = true })
  let answered = 0
  while (!over) {
    assert.equal((await s.get('/good')).status, 200)
    answered++
  }
  assert.ok((await loops).every(r => r.status === 500))
  assert.ok(answered > 20, `${answered}`)
  await s.stop()
})

test('deadlines: a call that waits too long ends there, whatever it catches', async () => {
  const s = await start()
  const began = Date.now()
  const [late, error] = await Promise.all([s.get('/bad/late'), s.get('/bad/late_error')])
  assert.ok(Date.now() - began < 10000)
  await isOurFault(s, late, /deadline/)
  await isOurFault(s, error, /deadline/)
  await s.stop()
})

test('a peer that goes away leaves nothing behind', async () => {
  const s = await start()
  for (let i = 0; i < 20; i++) await s.get('/good/slow', { timeout: 50 }).catch(() => {})
  await sleep(500)
  assert.equal((await s.get('/good')).status, 200)
  await s.stop()
})
