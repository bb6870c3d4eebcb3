// What stands between a caller and a script, and between a script and the rest: who may call a
// route, what a verification is worth, what one script's trouble does to the others.
import { test } from 'node:test'
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Server, root } from './server.mjs'

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
