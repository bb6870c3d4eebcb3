// A simulator calls back: in simulated mode a request to our own address reaches our own routes, whatever
// worker it is made on, also while the route that it calls asks that simulator again.
import { test } from 'node:test'
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Server, WALLET, root } from './server.mjs'
import { createServer } from 'node:net'

const BANK = `
local function tell(ctx, url)
  local answer, why, code = ctx.http.post { url = url, json = { paid = true } }
  if not answer then return reply(500, { why = why, code = code }) end
  return reply(200, { status = answer.status, body = answer.body, url = url })
end
return {
  api = 1, provider = "acme",
  routes = {
    ["POST /pay"] = function(ctx) return tell(ctx, ctx.url "/callbacks/acme?x=1") end,
    ["POST /pay/at"] = function(ctx, request) return tell(ctx, request.body) end,
    ["GET /books"] = function() return reply(200, { asked = true }) end,
  },
}`
const CHANNEL = `
return {
  api = 1, title = "Acme", provider = "acme", method = "qris", effect = "offer",
  hosts = { sandbox = "api.acme.example" },
  create = function() return pending {} end, inquire = function() return pending {} end,
  routes = {
    ["POST /callbacks/acme"] = function(ctx, request)
      local books = ctx.http.get "https://api.acme.example/books"
      return reply(202, { heard = json.decode(request.body).paid, query = request.query, asked = books and books:json().asked })
    end,
  },
}`

async function start (options) {
  const dir = root(...WALLET)
  writeFileSync(join(dir, 'scripts/sandbox/acme.lua'), BANK)
  writeFileSync(join(dir, 'channels/acme.lua'), CHANNEL)
  return Server.start({ dir, ...options })
}

const HEARD = { heard: true, query: 'x=1', asked: true }

for (const workers of [1, 3]) {
  test(`a simulator calls back, ${workers} worker(s)`, async () => {
    const s = await start({ args: ['--workers', String(workers)] })
    const answers = await Promise.all(Array.from({ length: 24 }, () => s.post('/sandbox/acme/pay', '')))
    for (const r of answers) {
      assert.equal(r.status, 200, r.body)
      assert.equal(r.json().status, 202, r.body)
      assert.equal(r.json().url, `http://127.0.0.1:${s.port}/callbacks/acme?x=1`)
      assert.deepEqual(JSON.parse(r.json().body), HEARD)
    }
    assert.equal((await s.post('/sandbox/acme/pay/at', `http://localhost:${s.port}/nothing`)).json().status, 404)
    assert.equal((await s.post('/sandbox/acme/pay/at', `http://127.0.0.1:${s.port}/sandbox/acme/pay/at`)).json().status, 500, 'and a simulator')
    assert.equal((await s.post('/sandbox/acme/pay/at', `http://127.0.0.1:${s.port}/sandbox/_clock`)).json().status, 403, 'it would wait for itself')
    await s.stop()
  })
}

test('the public URL is ours, another port is not', async () => {
  const s = await start({ env: { LUWAK_PUBLIC_URL: 'https://pay.example/luwak/' } })
  let r = await s.post('/sandbox/acme/pay', '')
  assert.equal(r.json().url, 'https://pay.example/luwak/callbacks/acme?x=1')
  assert.deepEqual(JSON.parse(r.json().body), HEARD)
  // nobody but a simulator is called, not even a server that listens there
  let called = 0
  const other = createServer(c => { called++; c.end() }).listen(0, '127.0.0.1')
  await new Promise(resolve => other.on('listening', resolve))
  for (const url of [`http://127.0.0.1:${other.address().port}/callbacks/acme`, 'https://pay.example/callbacks/acme', 'https://pay.example:444/luwak/callbacks/acme']) {
    r = await s.post('/sandbox/acme/pay/at', url)
    assert.equal(r.json().status, 502, r.body)
  }
  assert.equal(called, 0)
  other.close()
  await s.stop()
})
