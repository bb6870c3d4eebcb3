// A canary: keys and card numbers that go through a running server must not be found in its log, its
// database (WAL too), its metrics or its answers.
import { test } from 'node:test'
import assert from 'node:assert/strict'
import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Server, WALLET, root } from './server.mjs'

const KEY = 'canary-key-5f1d0c2b9e7a4433'
const TOKEN = 'canary-token-77aa11bb22cc33dd'
const METRICS = 'canary-metrics-0011223344'
const CARD = '4811111111111114'
const SPACED = '4811 1111 1111 1114'

test('no key and no card number is left anywhere', async () => {
  const dir = root(...WALLET)
  writeFileSync(join(dir, 'scripts/api/leaky.lua'), `return { api = 1, routes = {
    ["POST /v1/leaky"] = { auth = "none", cards = true, run = function(req)
      log.info("leaky", { reference = req.body, path = req.path, why = req.headers["x-card"] })
      log.warn("card " .. "48111111" .. "11111114")
      error("cannot use " .. req.body)
    end } } }`)
  writeFileSync(join(dir, 'scripts/api/loader.lua'), 'return { api = 1, routes = {} }')
  const env = { DEMO_KEY: KEY, LUWAK_METRICS_TOKEN: METRICS, LUWAK_LOG_LEVEL: 'debug' }
  const s = await Server.start({ dir, env })
  const said = []
  const ask = async (...args) => { const r = await s.ask(...args); said.push(JSON.stringify(r.headers) + r.body); return r }
  const headers = { authorization: `Bearer ${TOKEN}`, 'x-card': CARD, cookie: `session=${TOKEN}` }

  await ask('POST', '/v1/operations', { body: { channel: 'demo_wallet', reference: 'canary-1', input: { amount: 9000, phone: '081200001234' } }, headers })
  await ask('POST', '/v1/leaky', { body: `card ${CARD} and ${SPACED} Bearer ${TOKEN}`, headers })
  await ask('POST', `/v1/operations?key=${KEY}`, { body: { channel: 'demo_wallet', key: KEY, input: {} }, headers: { ...headers, 'x-key': KEY } })
  await ask('GET', `/none?key=${KEY}`, { headers: { 'x-key': KEY } })
  await ask('POST', `/v1/leaky?card=${CARD}`, { body: '{}', headers })
  await ask('GET', `/v1/operations/${CARD}`, { headers })
  await ask('GET', `/none/${CARD}?token=${TOKEN}`, { headers })
  await ask('POST', '/v1/operations', { body: { channel: `c ${CARD}`, input: {} }, headers })
  await ask('POST', '/v1/operations', { body: `{"channel":"${CARD}`, headers })
  await ask('POST', '/sandbox/demo/v1/charges', { body: { reference: 'x', amount: 1, card: CARD }, headers: { ...headers, 'x-signature': KEY } })
  assert.equal(said.filter(r => r.includes('the request failed here')).length, 2, 'the leaky route ran')
  await ask('GET', '/metrics', { headers: { authorization: `Bearer ${TOKEN}` } })
  said.push((await s.get('/metrics', { headers: { authorization: `Bearer ${METRICS}` } })).body)
  // a script that is broken by a text with a key in it
  writeFileSync(join(dir, 'scripts/api/loader.lua'), 'error("no 48111111" .. "11111114")')
  await s.logged('script_broken')
  await s.post('/sandbox/_clock', { advance: '10m' })

  const files = () => readdirSync(s.data).filter(f => f !== 'reserve' && f !== 'control.sock').map(f => [f, readFileSync(join(s.data, f), 'latin1')])
  const places = [['answers', said.join('\n')], ...files()]
  await s.stop()
  places.push(['log', s.raw], ['output', s.out], ...files())
  assert.ok(places.length >= 6 && s.raw.length > 1000)
  for (const [where, text] of places) {
    for (const secret of [KEY, TOKEN, METRICS, CARD, SPACED, KEY.slice(7, 19), Buffer.from(KEY).toString('base64').slice(0, 20)]) {
      const at = text.indexOf(secret)
      assert.equal(at, -1, `${where} holds ${secret}: ${text.slice(Math.max(0, at - 120), at + 60)}`)
    }
  }
})
