// What stands between a caller and a script, and between a script and the rest: who may call a
// route, what a verification is worth, what one script's trouble does to the others.
import { test } from 'node:test'
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { luwak } from './luwak.mjs'
import { Server, WALLET, root } from './server.mjs'

const save = (dir, path, text) => writeFileSync(join(dir, path), text)

test('a route that asks who is calling answers nobody whom it does not know', async () => {
  const dir = root()
  const route = auth => `["GET /v1/for/${auth}"] = { auth = "${auth}", run = function(req) log.info("ran") return 200, {} end },`
  save(dir, 'scripts/api/doors.lua', `return { api = 1, routes = { ${['none', 'merchant', 'session', 'admin'].map(route).join('\n')} } }`)
  const s = await Server.start({ dir })
  assert.equal((await s.get('/v1/for/none')).status, 200)
  for (const auth of ['merchant', 'session', 'admin']) {
    const r = await s.get(`/v1/for/${auth}`, { headers: { authorization: 'Bearer sk_test_demo' } })
    assert.equal(r.status, 401, auth)
    assert.equal(r.headers['content-type'], 'application/problem+json')
    assert.equal(r.json().code, 'UNAUTHORIZED')
  }
  assert.equal(s.events('ran').length, 1)
  await s.stop()
})

test('only true verifies, and a call that is not verified cannot go on', async () => {
  const dir = root()
  const answers = (name, body) => `["POST /v1/${name}"] = function(ctx, request) ${body} return reply(200, { went_on = true }) end,`
  save(dir, 'scripts/sandbox/strict.lua', `return { api = 1, provider = "strict", routes = {
    ${answers('true', 'ctx.verify(true)')}
    ${answers('text', 'ctx.verify("no")')}
    ${answers('number', 'ctx.verify(0)')}
    ${answers('table', 'ctx.verify({})')}
    ${answers('nil', 'ctx.verify(nil)')}
    ${answers('false', 'ctx.verify(false, "of the wrong key")')}
    ${answers('held', 'pcall(ctx.verify, false) ctx.store.put("written", "yes")')}
    ${answers('nested', 'pcall(function() pcall(function() ctx.verify(false) end) end) ctx.store.put("written", "yes")')}
    ["GET /v1/written"] = function(ctx) return reply(200, { written = ctx.store.get("written") or "no" }) end,
  } }`)
  const s = await Server.start({ dir })
  assert.equal((await s.post('/sandbox/strict/v1/true', {})).status, 200)
  for (const name of ['text', 'number', 'table', 'nil', 'false', 'held', 'nested']) {
    const r = await s.post(`/sandbox/strict/v1/${name}`, {})
    assert.equal(r.status, 401, `${name}: ${r.body}`)
    assert.equal(r.json().code, 'UNAUTHORIZED')
  }
  assert.deepEqual((await s.get('/sandbox/strict/v1/written')).json(), { written: 'no' })
  await s.stop()
})

// A simulator with tokens that say which fetch made them.
const TOKENS = `
local function fetch(ctx, n, seconds)
  return function()
    n = ctx.counter("fetches")
    return "token " .. n, seconds or 1000
  end
end
local function shown(token) return crypto.hmac("sha256", token, "shown", "hex") end
local function same(ctx, token, n) return shown(token) == shown("token " .. n) end
local function which(ctx, token)
  for n = 1, 40 do if same(ctx, token, n) then return n end end
end
local routes = {
  ["GET /tok/get"] = function(ctx) return reply(200, { n = which(ctx, ctx.token("t", fetch(ctx))) }) end,
  ["GET /tok/fails"] = function(ctx)
    local ok = pcall(ctx.token, "f", function() error("no luck") end)
    return reply(200, { ok = ok, n = which(ctx, ctx.token("f", fetch(ctx))) })
  end,
  ["GET /tok/spins"] = function(ctx) ctx.token("s", function() ctx.counter("spun") while true do end end) end,
  ["GET /tok/raises"] = function(ctx) ctx.token("s", function() ctx.counter("spun") error("no luck") end) end,
  ["GET /tok/after"] = function(ctx) return reply(200, { n = which(ctx, ctx.token("s", fetch(ctx))) }) end,
  ["GET /tok/wrong"] = function(ctx) return reply(200, { ok = pcall(ctx.token, "w", function() return "x" end) }) end,
}
`
const tokens = dir => {
  save(dir, 'scripts/sandbox/tok.lua', `${TOKENS} return { api = 1, provider = "tok", routes = routes }`)
}

test('a token is fetched once, kept, refreshed, and outlives the server', async () => {
  const dir = root()
  tokens(dir)
  const first = await Server.start({ dir, args: ['--workers', '2'] })
  const n = async (s, path = '/sandbox/tok/tok/get') => (await s.get(path)).json().n
  const all = await Promise.all(Array.from({ length: 12 }, () => n(first)))
  assert.deepEqual(all, Array(12).fill(1), 'twelve at once wait for one fetch')
  assert.equal(await n(first), 1)
  await first.post('/sandbox/_clock', { advance: '700s' })
  assert.equal(await n(first), 1)
  await first.post('/sandbox/_clock', { advance: '150s' })
  assert.equal(await n(first), 2, 'refreshed at 80 % of its life')
  assert.deepEqual((await first.get('/sandbox/tok/tok/fails')).json(), { ok: false, n: 3 })
  assert.deepEqual((await first.get('/sandbox/tok/tok/wrong')).json(), { ok: false })
  await first.stop()
  const again = await Server.start({ dir, data: first.data })
  assert.equal(await n(again), 2, 'from the store')
  await again.post('/sandbox/_clock', { advance: '2000s' })
  assert.equal(await n(again), 4, 'past its life: fetched anew')
  await again.stop()
})

test('a fetch that dies does not keep the others from the token', async () => {
  const dir = root()
  tokens(dir)
  const s = await Server.start({ dir, args: ['--workers', '1'] })
  for (const how of ['spins', 'raises']) {
    const [dead, waited] = await Promise.all([s.get(`/sandbox/tok/tok/${how}`), s.get(`/sandbox/tok/tok/${how}`)])
    assert.equal(dead.status, 500)
    assert.equal(waited.status, 500)
  }
  const after = await s.get('/sandbox/tok/tok/after', { timeout: 10000 })
  assert.deepEqual(after.json(), { n: 1 })
  await s.stop()
})

test('scripts without a provider of their own have one: a biller its upstream, a simulator its name', async () => {
  const dir = root()
  const sim = name => save(dir, `scripts/sandbox/${name}.lua`, `return { api = 1, config = { key = "${name.toUpperCase()}_KEY" }, routes = {
    ["GET /key"] = function(ctx) return reply(200, { key = ctx.config.key }) end,
    ["GET /count"] = function(ctx) return reply(200, { n = ctx.counter("n") }) end,
  } }`)
  sim('alpha')
  sim('beta')
  const s = await Server.start({ dir, env: { ALPHA_KEY: 'of alpha', BETA_KEY: 'of beta' } })
  assert.equal((await s.get('/sandbox/alpha/key')).json().key, 'of alpha')
  assert.equal((await s.get('/sandbox/beta/key')).json().key, 'of beta')
  assert.deepEqual((await s.get('/sandbox/alpha/count')).json(), { n: 1 })
  assert.deepEqual((await s.get('/sandbox/beta/count')).json(), { n: 1 }, 'their own state')
  save(dir, 'scripts/sandbox/beta.lua', 'return { api = 1, config = { key = "ALPHA_KEY" }, routes = {} }')
  await s.logged('script_broken', l => /begins with the provider's name \(beta_\.\.\.\)/.test(l.error))
  await s.stop()
})

test('a trusted script makes requests without a list of hosts', async () => {
  const dir = root(...WALLET)
  save(dir, 'scripts/api/asks.lua', `return { api = 1, routes = { ["GET /v1/asks"] = { auth = "none", run = function(req)
    local a, why = http.get("https://api.demo-wallet.example/v1/charges/none")
    return 200, { status = a and a.status, why = why }
  end } } }`)
  const s = await Server.start({ dir })
  assert.deepEqual((await s.get('/v1/asks')).json(), { status: 401 }, 'what the simulator says to an unsigned question')
  await s.stop()
})

test('t.load takes a script as the engine does: with a mark of its encoding and a #! line', () => {
  const dir = root()
  save(dir, 'scripts/lib/marked.lua', '\ufeff#!/usr/bin/env luwak\nreturn { answer = 42 }\n')
  save(dir, 'scripts/jobs/asks.lua', '#!/usr/bin/env luwak\nlocal m = require "marked"\nreturn { api = 1, kind = "repeatable", run = function() return m.answer end }\n')
  save(dir, 'asks_test.lua', 'return { tests = { ["loads"] = function(t) t.equal(t.load("scripts/jobs/asks.lua").run(), 42) end } }')
  const r = luwak(['test', '--root', dir, 'asks_test.lua'], { cwd: dir })
  assert.equal(r.code, 0, r.out + r.err)
})

test('durations are read alike: ctx.once and engine.sleep take texts of several parts', async () => {
  const dir = root()
  save(dir, 'scripts/sandbox/dur.lua', `return { api = 1, routes = {
    ["GET /once"] = function(ctx) return reply(200, { first = ctx.once("s", "k", "1h30m") }) end } }`)
  save(dir, 'scripts/api/sleeps.lua', 'return { api = 1, routes = { ["GET /v1/sleeps"] = { auth = "none", run = function() engine.sleep("0s1ms") return 200, {} end } } }')
  const s = await Server.start({ dir })
  const once = async () => (await s.get('/sandbox/dur/once')).json().first
  assert.deepEqual([await once(), await once()], [true, false])
  await s.post('/sandbox/_clock', { advance: '89m' })
  assert.equal(await once(), false)
  await s.post('/sandbox/_clock', { advance: '2m' })
  assert.equal(await once(), true)
  assert.equal((await s.get('/v1/sleeps')).status, 200)
  await s.stop()
})

test('ctx.once raises when the store does not answer: nobody has the key, and the script is not told so', async () => {
  const dir = root()
  save(dir, 'scripts/sandbox/dur.lua', `return { api = 1, routes = {
    ["GET /once/:key"] = function(ctx, request) return reply(200, { first = ctx.once("s", request.params.key, "1h") }) end } }`)
  const s = await Server.start({ dir, env: { LUWAK_FAULT: 'store.begin=fail@20' } })
  const said = []
  for (let n = 0; n < 25; n++) {
    const r = await s.get(`/sandbox/dur/once/k${n}`)
    said.push(r.status === 200 ? r.json().first : r.status)
  }
  assert.deepEqual(said.filter(one => one !== true), [500])
  await s.stop()
})
