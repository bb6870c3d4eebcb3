// What the merchant API lets in: no card numbers, whatever the route, and JSON only. Callbacks, channels' own paths
// and simulators see what a provider sends.
import { test } from 'node:test'
import assert from 'node:assert/strict'
import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Server, WALLET, root } from './server.mjs'

const CARD = '4811111111111114'
const SPACED = '4811 1111 1111 1114'

test('a card number is refused at every door of ours and named by its field', async () => {
  const dir = root(...WALLET)
  writeFileSync(join(dir, 'scripts/api/more.lua'), `
    local function echo(req) return 200, { seen = #req.body } end
    return { api = 1, routes = {
      ["POST /v1/echo/:id"] = { auth = "none", run = echo },
      ["POST /v1/closed"] = { auth = "merchant", run = echo },
      ["POST /other"] = { auth = "none", run = echo },
      ["POST /callbacks/acme"] = { auth = "none", cards = true, run = echo } } }`)
  writeFileSync(join(dir, 'channels/acme_va.lua'), `return {
    api = 1, title = "Acme", provider = "acme", method = "qris", effect = "offer",
    create = function() return pending {} end, inquire = function() return pending {} end,
    routes = { ["POST /bank/calls"] = function(ctx, request) return reply(200, { seen = #request.body }) end } }`)
  const s = await Server.start({ dir, env: { LUWAK_LOG_LEVEL: 'debug' } })
  const said = []
  const refused = async (param, method, path, options = {}) => {
    const r = await s.ask(method, path, options)
    said.push(r.body)
    assert.equal(r.status, 400, `${path} ${JSON.stringify(options)}: ${r.body}`)
    assert.equal(r.headers['content-type'], 'application/problem+json')
    assert.equal(r.json().code, 'INVALID_REQUEST')
    assert.equal(r.json().param, param)
    assert.match(r.json().detail, /card number/)
  }
  const input = { amount: 9000, phone: '081200001234' }
  const order = more => ({ channel: 'demo_wallet', input, ...more })
  await refused('input.note', 'POST', '/v1/operations', { body: order({ input: { ...input, note: SPACED } }) })
  await refused('channel', 'POST', '/v1/operations', { body: order({ channel: CARD }) })
  await refused('id', 'GET', `/v1/operations/${CARD}`)
  await refused('id', 'GET', `/v1/operations/4811%201111%201111%201114`)
  await refused('x', 'GET', `/v1/ping?x=${CARD}`)
  await refused('x-note', 'GET', '/v1/ping', { headers: { 'X-Note': SPACED } })
  await refused('body', 'POST', '/v1/echo/1', { body: `{"rubbish ${CARD}` })
  await refused('card', 'POST', '/other', { body: `a=1&card=${CARD}`, headers: { 'content-type': 'application/x-www-form-urlencoded' } })
  const key = { authorization: `Basic ${Buffer.from('sk_test_demo:').toString('base64')}` }
  await refused('note', 'POST', '/v1/closed', { body: { note: CARD }, headers: key })
  assert.equal((await s.post('/v1/closed', { note: CARD })).status, 401, 'who is not known is not looked at')

  // numbers by their nature, and doors that providers use
  const created = await s.post('/v1/operations', order({ reference: CARD, input: { ...input, order_id: CARD } }), { headers: { 'Idempotency-Key': CARD } })
  assert.equal(created.status, 201, created.body)
  for (const path of ['/callbacks/acme', '/bank/calls']) {
    assert.deepEqual((await s.post(path, { note: CARD })).json(), { seen: `{"note":"${CARD}"}`.length }, path)
  }
  const simulator = await s.post('/sandbox/demo/v1/charges', { reference: 'x', card: CARD })
  assert.equal(simulator.status, 401, 'its own answer')
  await s.stop()
  // and nowhere is it kept but as the reference that the client gave
  assert.ok(!said.join().includes(CARD.slice(4, 12)), 'no answer repeats it')
  for (const [where, text] of [['log', s.raw], ...readdirSync(s.data).filter(f => f.startsWith('luwak.db')).map(f => [f, readFileSync(join(s.data, f), 'latin1')])]) {
    assert.ok(!text.includes(SPACED), where)
    if (where === 'log') assert.ok(!text.includes(CARD), where)
  }
})

test('the merchant API takes JSON, and says 415 to the rest', async () => {
  const s = await Server.start()
  const body = '{"channel":"nobody"}'
  const as = async (type, path = '/v1/operations', text = body) => (await s.post(path, text, type === undefined ? {} : { headers: { 'content-type': type } }))
  for (const type of ['application/x-www-form-urlencoded', 'text/plain', 'application/xml', 'multipart/form-data; boundary=x', 'application/jsonx', 'application/json, text/plain']) {
    const r = await as(type)
    assert.equal(r.status, 415, type)
    assert.equal(r.json().code, 'UNSUPPORTED_MEDIA_TYPE')
  }
  for (const type of [undefined, 'application/json', 'application/json; charset=utf-8', 'Application/JSON;charset=UTF-8']) {
    assert.equal((await as(type)).status, 400, `${type}: there is no such channel`)
  }
  assert.equal((await s.ask('GET', '/v1/ping', { headers: { 'content-type': 'text/plain' } })).status, 200, 'no body')
  assert.equal((await as('text/plain', '/sandbox/demo/v1/charges')).status, 401, 'another door')
  assert.equal((await as('text/plain', '/v1/nothing')).status, 404)
  await s.stop()
})
