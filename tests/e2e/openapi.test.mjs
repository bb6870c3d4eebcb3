// /openapi.json: a public validator takes it, it names every route of the merchant API and no other, real
// answers fit its shapes to the last member, and what it says of requests is what is taken and refused.
import { test, before } from 'node:test'
import assert from 'node:assert/strict'
import { cpSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Validator } from '@seriousme/openapi-schema-validator'
import Ajv from 'ajv/dist/2020.js'
import formats from 'ajv-formats'
import { ROOT, temporary } from './luwak.mjs'
import { Server, until } from './server.mjs'

const DEMO = { authorization: 'Basic ' + Buffer.from('sk_test_demo:').toString('base64') }
let s, dir, document
before(async () => {
  dir = join(temporary(), 'root')
  for (const part of ['channels', 'rules', 'scripts']) cpSync(join(ROOT, part), join(dir, part), { recursive: true })
  s = await Server.start({ dir })
  document = (await s.get('/openapi.json')).json()
})

// Every object with members takes no others, so that an answer with one more is found.
function tight (schema) {
  if (Array.isArray(schema)) return schema.map(tight)
  if (schema === null || typeof schema !== 'object') return schema
  const copy = Object.fromEntries(Object.entries(schema).map(([k, v]) => [k, tight(v)]))
  if (copy.type === 'object' && copy.properties) copy.additionalProperties = false
  return copy
}

function shapes () {
  const ajv = new Ajv.default({ strict: false, allErrors: true })
  formats.default(ajv)
  ajv.addSchema(tight({ ...document, $id: 'api' }), 'api')
  return (pointer, value, what) => {
    const check = ajv.getSchema(`api#${pointer}`)
    assert.ok(check, pointer)
    assert.ok(check(value), `${what}: ${ajv.errorsText(check.errors)}\n${JSON.stringify(value)}`)
  }
}
const escaped = path => path.replaceAll('~', '~0').replaceAll('/', '~1')

test('a public validator takes it', async () => {
  const result = await new Validator().validate(document)
  assert.equal(result.valid, true, JSON.stringify(result.errors))
  assert.equal((await new Validator().validate({ ...document, paths: { x: 1 } })).valid, false, 'and not anything')
})

test('it has every route below /v1 and no other', async () => {
  const declared = new Set(), written = new Set()
  for (const file of readdirSync(join(dir, 'scripts/api'))) {
    for (const [, method, path] of readFileSync(join(dir, 'scripts/api', file), 'utf8').matchAll(/\["([A-Z]+) (\/v1\/[^"]*)"\]/g)) {
      declared.add(`${method} ${path.replace(/:(\w+)/g, '{$1}')}`)
    }
  }
  for (const [path, methods] of Object.entries(document.paths)) {
    for (const [method, op] of Object.entries(methods)) {
      written.add(`${method.toUpperCase()} ${path}`)
      assert.equal(op['x-undescribed'], undefined, `${method} ${path}: scripts/lib/openapi.lua does not say what it takes and gives`)
      const r = await s.ask(method.toUpperCase(), path.replaceAll(/\{\w+\}/g, 'x'), {})
      assert.notEqual(r.status, 405, `${method} ${path}`)
      assert.ok(r.status !== 404 || r.json().detail.startsWith('no such') || r.json().detail.startsWith('there is no such'), r.body)
      if (op.security.length) assert.equal(r.status, 401, `${method} ${path} needs a key`)
      else assert.notEqual(r.status, 401, `${method} ${path} needs none`)
    }
  }
  assert.deepEqual([...written].sort(), [...declared].sort())
})

test('real answers fit to the last member', async () => {
  const fits = shapes(), seen = new Set()
  async function ask (method, template, params = {}, body, headers = {}) {
    const [path, query] = template.split('?')
    const real = path.replaceAll(/\{(\w+)\}/g, (_, name) => params[name]) + (query ? '?' + query : '')
    const r = await s.ask(method, real, { body, headers: { ...DEMO, ...headers } })
    const what = `${method} ${real}: ${r.status}`
    const known = document.paths[path][method.toLowerCase()].responses[r.status]
    assert.ok(known, `${what} is not in the document: ${r.body}`)
    const type = r.headers['content-type'].split(';')[0]
    assert.ok(known.content[type], `${what} ${type}`)
    fits(`/paths/${escaped(path)}/${method.toLowerCase()}/responses/${r.status}/content/${escaped(type)}/schema`, r.json(), what)
    seen.add(`${method} ${path} ${r.status}`)
    return r.json()
  }
  const made = []
  const customer = { name: 'Budi', email: 'budi@shop.example', phone: '081234567890' }
  const items = [{ id: 'i', name: 'Kopi', price: 25000, quantity: 2, category: 'c', url: 'https://shop.example/kopi' }]
  for (const more of [{ method: 'virtual_account', bank: 'self', customer, items, metadata: { a: 1, b: 'x', c: true }, description: 'x', return_urls: { success: 'https://shop.example/done' } },
    { method: 'virtual_account', bank: 'bca', expires_in: 3600 }, { method: 'virtual_account', bank: 'mandiri' }, { method: 'qris' },
    { method: 'ewallet', channel: 'midtrans_gopay' }, { method: 'ewallet', channel: 'demo_wallet', options: { phone: '081234567890' } },
    { method: 'ewallet', channel: 'demo_wallet', options: { phone: '081234560000' } }, {}]) {
    const body = { order_id: `s-${made.length}`, amount: 50000, ...more }
    fits('/components/schemas/PaymentRequest', body, 'the request')
    made.push(await ask('POST', '/v1/payments', {}, body))
  }
  assert.deepEqual(made.map(p => p.status), ['pending', 'pending', 'pending', 'pending', 'pending', 'success', 'failed', 'pending'])
  await ask('POST', '/v1/payments', {}, { order_id: 's-3', amount: 50000, method: 'qris' })
  await ask('POST', '/v1/payments', {}, { order_id: 's-3', amount: 1, method: 'qris' })
  await ask('POST', '/v1/payments', {}, { order_id: 's-x', amount: 0 })
  for (const [who, p] of [['self', made[0]], ['midtrans', made[1]], ['midtrans', made[3]]]) {
    assert.equal((await s.post(`/sandbox/${who}/_control`, { pay: p.id })).status, 200)
  }
  for (const p of made) await ask('GET', '/v1/payments/{id}', p)
  await ask('GET', '/v1/payments/{id}', { id: 'x' })
  await ask('GET', '/v1/payments?limit=3&status=success')
  await ask('GET', '/v1/payments?limit=0')
  const refund = await ask('POST', '/v1/payments/{id}/refunds', made[3], { amount: 1000, reason: 'broken' }, { 'idempotency-key': 'k-1' })
  await ask('POST', '/v1/payments/{id}/refunds', made[0], {}, { 'idempotency-key': 'k-2' })
  await ask('GET', '/v1/payments/{id}/refunds', made[3])
  await ask('GET', '/v1/refunds/{id}', refund)
  await ask('GET', '/v1/refunds/{id}', { id: 'x' })
  await ask('POST', '/v1/payments/{id}/sync', made[2])
  await ask('POST', '/v1/payments/{id}/cancel', made[2])
  await ask('POST', '/v1/payments/{id}/cancel', made[3])
  await ask('POST', '/v1/payments/{id}/capture', made[3], {}, { 'idempotency-key': 'k-3' })
  await ask('GET', '/v1/payments/{id}/events', made[3])
  await ask('GET', '/v1/events?limit=100')
  await ask('GET', '/v1/channels')
  await ask('POST', '/v1/quotes', {}, { amount: 50000 })
  await ask('GET', '/v1/balance')
  await ask('GET', '/v1/balance/mutations')
  await ask('GET', '/v1/ping')
  await ask('GET', '/v1/payments', {}, undefined, { authorization: 'Basic eA==' })
  const op = await ask('POST', '/v1/operations', {}, { channel: 'demo_wallet', input: { amount: 15000, phone: '081234567890' } })
  await ask('GET', '/v1/operations/{id}', op)
  const number = { bank: 'self', channel: 'self_va', customer, description: 'saving', metadata: { a: 1 } }
  fits('/components/schemas/VirtualAccountRequest', number, 'the request')
  const account = await ask('POST', '/v1/virtual_accounts', {}, number)
  await ask('POST', '/v1/virtual_accounts', {}, {})
  await ask('POST', '/v1/virtual_accounts', {}, { bank: 'nobank' })
  await ask('GET', '/v1/virtual_accounts')
  await ask('GET', '/v1/virtual_accounts/{id}', account)
  await ask('GET', '/v1/virtual_accounts/{id}', { id: 'x' })
  await ask('POST', '/v1/virtual_accounts/{id}/close', account)
  const hook = await ask('POST', '/v1/webhook_endpoints', {}, { url: 'http://127.0.0.1:9/hook', enabled_types: ['payment.succeeded'] })
  await ask('POST', '/v1/webhook_endpoints', {}, { url: 'ftp://x' })
  await ask('GET', '/v1/webhook_endpoints')
  await ask('GET', '/v1/webhook_endpoints/{id}', hook)
  await ask('POST', '/v1/webhook_endpoints/{id}', hook, { enabled_types: ['*'] })
  await ask('PATCH', '/v1/webhook_endpoints/{id}', hook, { url: 'http://127.0.0.1:9/other' })
  await ask('POST', '/v1/webhook_endpoints/{id}/rotate_secret', hook)
  await ask('POST', '/v1/events/{id}/redeliver', (await ask('GET', '/v1/events?limit=1')).data[0])
  await ask('DELETE', '/v1/webhook_endpoints/{id}', hook)
  await ask('GET', '/v1/webhook_endpoints/{id}', hook)
  const asked = new Set([...seen].map(one => one.replace(/ \d+$/, '')))
  for (const [path, methods] of Object.entries(document.paths)) {
    for (const method of Object.keys(methods)) assert.ok(asked.has(`${method.toUpperCase()} ${path}`), `${method} ${path}: no answer of it was looked at`)
  }
})

// The table of bad input, once more: what is refused for a field that the body has must not fit the shape.
test('the shapes refuse what the API refuses', () => {
  const fits = shapes(), off = (shape, body) => { try { fits(`/components/schemas/${shape}`, body, ''); return false } catch { return true } }
  const good = { order_id: 'o', amount: 150000, method: 'qris' }
  assert.equal(off('PaymentRequest', good), false)
  for (const bad of [{ amount: '150000' }, { amount: 0 }, { amount: 1.5 }, { amount: 1e13 }, { order_id: '' }, { order_id: 'a b' }, { order_id: 'x'.repeat(65) }, { method: 'cash' },
    { currency: 'USD' }, { other: 1 }, { expires_in: 0 }, { bank: 'BCA' }, { customer: { nik: '1' } }, { items: [{}] }, { metadata: { a: {} } }, { description: '' }]) {
    assert.equal(off('PaymentRequest', { ...good, ...bad }), true, JSON.stringify(bad))
  }
  for (const bad of [{ amount: 0 }, { reason: '' }, { other: 1 }, { destination: {} }, { destination: { bank: 'b', account_number: '1' } }]) {
    assert.equal(off('RefundRequest', bad), true, JSON.stringify(bad))
  }
})

test('a route that is dropped in is in the document at once, and /docs shows it all', async () => {
  writeFileSync(join(dir, 'scripts/api/more.lua'), 'return { api = 1, routes = { ["GET /v1/more/:what"] = { auth = "merchant", about = "one <more>", run = function() return 200, {} end } } }')
  const more = await until('the new route', async () => (await s.get('/openapi.json')).json().paths['/v1/more/{what}'], 5000)
  assert.equal(more.get.summary, 'one <more>')
  assert.equal(more.get['x-undescribed'], true)
  const page = await s.get('/docs')
  assert.equal(page.status, 200)
  assert.match(page.headers['content-type'], /^text\/html/)
  assert.ok(page.body.includes('one &lt;more&gt;') && !page.body.includes('one <more>'))
  for (const path of Object.keys(document.paths)) assert.ok(page.body.includes(path), path)
  for (const name of Object.keys(document.components.schemas)) assert.ok(page.body.includes(`id="${name}"`), name)
  for (const [, id] of page.body.matchAll(/href="#(\w+)"/g)) assert.ok(page.body.includes(`id="${id}"`), id)
})
