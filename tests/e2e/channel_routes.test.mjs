// Paths that a channel declares because a bank calls them: mounted exactly, run in the channel's cage, loaded
// and reloaded with it, and taken from nobody else.
import { test } from 'node:test'
import assert from 'node:assert/strict'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Server, WALLET, root, until } from './server.mjs'

const INQUIRY = '/v1.0/transfer-va/inquiry'
const channel = (word, route = `POST ${INQUIRY}`, provider = 'acme') => `
return {
  api = 1, title = "A bank", provider = "${provider}", method = "virtual_account", effect = "offer",
  config = { key = secret "${provider.toUpperCase()}_KEY" },
  create = function() return pending {} end, inquire = function() return pending {} end,
  routes = {
    ["${route}"] = function(ctx, request)
      local sealed = crypto.hmac("sha256", ctx.config.key, request.body, "hex")
      local caged = not pcall(function() return store.query("jobs_count") end)
      return reply(202, { word = "${word}", sealed = #sealed, query = request.query, caged = caged }, { ["X-Bank"] = "acme" })
    end,
  },
}
`

test('a bank calls a channel at its own exact path', async () => {
  const dir = root(...WALLET)
  const save = text => writeFileSync(join(dir, 'channels/acme_va.lua'), text)
  save(channel('one'))
  const s = await Server.start({ dir, env: { ACME_KEY: 'k', OTHER_KEY: 'k' } })
  const r = await s.post(`${INQUIRY}?x=1`, 'raw bytes')
  assert.equal(r.status, 202, r.body)
  assert.equal(r.headers['x-bank'], 'acme')
  assert.deepEqual(r.json(), { word: 'one', sealed: 64, query: 'x=1', caged: true })
  assert.equal((await s.get(INQUIRY)).status, 405)
  for (const path of [INQUIRY + '/', INQUIRY + '/x', INQUIRY.toUpperCase(), '/v1.0/transfer-va', '/nothing']) {
    assert.equal((await s.post(path, '')).status, 404, path)
  }
  assert.equal((await s.get('/v1/ping')).status, 200)

  save(channel('two'))
  await until('the new version answers', async () => (await s.post(INQUIRY, '')).json().word === 'two')
  rmSync(join(dir, 'channels/acme_va.lua')) // what was offered before can still be paid
  await s.logged('script_deleted')
  assert.equal((await s.post(INQUIRY, '')).json().word, 'two')
  writeFileSync(join(dir, 'channels/other_va.lua'), channel('three', undefined, 'other')) // until another one takes the path over
  await until('the other channel answers', async () => (await s.post(INQUIRY, '')).json().word === 'three')
  save(channel('four'))
  const broken = await s.logged('script_broken', l => l.path === 'channels/acme_va.lua')
  assert.match(broken.error, /channels\/acme_va\.lua: "POST \/v1\.0\/transfer-va\/inquiry" is a route of channels\/other_va\.lua/)
  assert.equal((await s.post(INQUIRY, '')).json().word, 'three')
  await s.stop()
})

test('a path that is taken is an error that names both', async () => {
  const dir = root(...WALLET)
  const s = await Server.start({ dir })
  for (const [name, route, says] of [
    ['health', 'GET /healthz', /"GET \/healthz": the engine itself answers at \/healthz/],
    ['sandbox', 'POST /sandbox/demo/v1/charges', /the engine itself answers at \/sandbox\//],
    ['ping', 'GET /v1/ping', /"GET \/v1\/ping" is a route of scripts\/api\/ping\.lua already/],
    ['hides', 'GET /v1/operations/mine', /"GET \/v1\/operations\/mine" is a route of scripts\/api\/operations\.lua already \("GET \/v1\/operations\/:id"\)/]]) {
    writeFileSync(join(dir, `channels/${name}.lua`), channel('x', route))
    const broken = await s.logged('script_broken', l => l.path === `channels/${name}.lua`)
    assert.match(broken.error, says)
    assert.match(broken.error, new RegExp(`channels/${name}\\.lua`))
  }
  assert.equal((await s.get('/v1/ping')).json().pong, true)
  assert.equal((await s.get('/healthz')).status, 200)
  await s.stop()
})

test('channels of one provider share the paths that it calls: the first by name answers', async () => {
  const dir = root(...WALLET)
  const save = (name, word) => writeFileSync(join(dir, `channels/acme_${name}.lua`), channel(word))
  save('b_va', 'b')
  save('c_va', 'c')
  const s = await Server.start({ dir, env: { ACME_KEY: 'k' } })
  const word = async () => (await s.post(INQUIRY, '')).json().word
  assert.equal(await word(), 'b')
  save('a_va', 'a')
  await until('the new first one answers', async () => await word() === 'a')
  save('b_va', 'b again')
  await s.logged('script_live', l => l.path === 'channels/acme_b_va.lua')
  assert.equal(await word(), 'a')
  rmSync(join(dir, 'channels/acme_a_va.lua')) // what is there goes before what is gone
  await until('the next one answers', async () => await word() === 'b again')
  assert.equal(s.events('script_broken').length, 0)
  await s.stop()
})
