// /v1/virtual_accounts: given out once, listed, paid from many sides at once, closed; who did what is in the audit log.
import { test } from 'node:test'
import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { spawnSync } from 'node:child_process'
import { LUWAK, cleanEnv } from './luwak.mjs'
import { Server, root } from './server.mjs'

const key = name => ({ authorization: 'Basic ' + Buffer.from(name + ':').toString('base64') })
const DEMO = key('sk_test_demo'), LIMITED = key('sk_test_limited')
const PATH = '/v1/virtual_accounts'
const luwak = (s, ...args) => spawnSync(LUWAK, [...args, '--simulated', '--data', s.data], { env: cleanEnv({}), encoding: 'utf8' })
const lines = s => Number(/chain holds, (\d+) lines/.exec(luwak(s, 'verify').stdout)[1])
const post = (s, path, body, headers = {}) => s.post(path, body, { headers: { ...DEMO, ...headers } })
const get = (s, path, headers = DEMO) => s.get(path, { headers })

function tell (s, body) {
  const text = JSON.stringify({ status: 'paid', ...body })
  return s.post('/callbacks/self', text, { headers: { 'x-signature': createHmac('sha512', 'self-demo-key').update(text).digest('hex') } })
}

test('a number that stays: once per key, listed, another merchant sees nothing, paid by many at once, closed', async () => {
  const s = await Server.start({ dir: root('channels', 'rules', 'scripts'), args: ['--workers', '2'] })
  const body = { bank: 'self', customer: { name: 'Siti', email: 'siti@shop.example' }, metadata: { member: '7' } }
  const made = await post(s, PATH, body, { 'idempotency-key': 'va-1' })
  assert.equal(made.status, 201, made.body)
  const v = made.json()
  assert.deepEqual(v, { id: v.id, object: 'virtual_account', customer: body.customer, bank: 'self', channel: 'self_va', va_number: v.va_number,
    description: null, metadata: body.metadata, status: 'active', created_at: v.created_at })
  assert.match(v.id, /^va_/)
  assert.match(v.va_number, /^88088\d{10}$/)
  const again = await post(s, PATH, body, { 'idempotency-key': 'va-1' })
  assert.equal(again.headers['idempotent-replayed'], 'true')
  assert.equal(again.body, made.body)
  assert.equal((await post(s, PATH, { bank: 'self' }, { 'idempotency-key': 'va-1' })).status, 422)
  const many = await Promise.all(Array.from({ length: 12 }, () => post(s, PATH, {}, { 'idempotency-key': 'va-2' })))
  assert.equal(new Set(many.map(r => r.json().id)).size, 1, 'twelve at once, one number')
  const other = many[0].json()

  assert.deepEqual((await get(s, PATH)).json(), { object: 'list', data: [other, v], has_more: false })
  assert.deepEqual((await get(s, `${PATH}?limit=1`)).json(), { object: 'list', data: [other], has_more: true })
  assert.deepEqual((await get(s, `${PATH}?limit=1&starting_after=${other.id}`)).json(), { object: 'list', data: [v], has_more: false })
  assert.deepEqual((await get(s, `${PATH}/${v.id}`)).json(), v)
  assert.equal((await get(s, `${PATH}/${v.id}`, LIMITED)).status, 404)
  assert.deepEqual((await get(s, PATH, LIMITED)).json().data, [])
  assert.equal((await s.post(`${PATH}/${v.id}/close`, undefined, { headers: LIMITED })).status, 404)

  // 20 transfers, each told three times at once
  const told = await Promise.all(Array.from({ length: 60 }, (_, i) => tell(s, { va_number: v.va_number, amount: 10000 + i % 20, money_id: `m-${i % 20}` })))
  // a repeat hears what was said first, or, when both came at once, that it is known
  for (const r of told) assert.match(r.json().status, /^(applied|duplicate)$/, r.body)
  assert.ok(told.filter(r => r.json().status === 'applied').length >= 20)
  const payments = (await get(s, '/v1/payments?limit=100')).json().data
  assert.equal(payments.length, 20)
  for (const p of payments) {
    assert.equal(p.status, 'success')
    assert.equal(p.amount_paid, p.amount_due)
    assert.deepEqual(p.customer, body.customer)
    assert.deepEqual(p.metadata, body.metadata)
  }
  assert.equal((await tell(s, { va_number: v.va_number, amount: 99, money_id: 'm-3' })).json().status, 'amount_mismatch')

  const closed = await post(s, `${PATH}/${v.id}/close`)
  assert.equal(closed.json().status, 'closed')
  assert.equal((await post(s, `${PATH}/${v.id}/close`)).body, closed.body, 'again is the same')
  assert.equal((await tell(s, { va_number: v.va_number, amount: 5000, money_id: 'late-1' })).json().status, 'expired')
  assert.equal((await get(s, '/v1/payments?limit=100')).json().data.length, 20)
  await s.stop()
  assert.equal(lines(s), 3, 'two opened, one closed')
  assert.equal(luwak(s, 'verify').status, 0)
})

test('a full disk: a number is refused at once, and not because all are taken', async () => {
  const s = await Server.start({ dir: root('channels', 'rules', 'scripts'), env: { LUWAK_FAULT: 'store.no_room=fail@1,store.no_room=fail@2' } })
  const open = () => post(s, '/v1/virtual_accounts', { bank: 'self' })
  for (let i = 0; i < 2; i++) {
    const began = Date.now(), r = await open()
    assert.deepEqual([r.status, r.json().code], [503, 'UNAVAILABLE'], r.body)
    assert.ok(Date.now() - began < 10000)
  }
  assert.deepEqual(s.log.filter(l => l.level === 'error').map(l => l.event), [])
  assert.equal((await open()).status, 201)
  await s.stop()
})

// The number is guessed and reserved with the payment itself; where somebody has it, nothing has happened.
test('a payment whose number somebody has gets another one', async () => {
  const faults = [1, 2, 3].map(n => `allocate.low=fail@${n}`).join(',')
  const s = await Server.start({ dir: root('channels', 'rules', 'scripts'), args: ['--workers', '1'], env: { LUWAK_FAULT: faults } })
  const create = order_id => post(s, '/v1/payments', { order_id, amount: 50000, method: 'virtual_account', bank: 'self' })
  const first = await create('n-1'), second = await create('n-2')
  assert.equal(first.status, 201, first.body)
  assert.equal(second.status, 201, second.body)
  assert.equal(first.json().instructions.va_number, '880880000000000')
  assert.equal(second.json().instructions.va_number, '880880000000001', 'the next free one, from the store')
  const [a, b] = [first, second].map(r => r.json())
  assert.equal((await tell(s, { va_number: b.instructions.va_number, amount: 50000, money_id: 'n' })).json().status, 'applied')
  assert.equal((await get(s, `/v1/payments/${b.id}`)).json().status, 'success')
  assert.equal((await get(s, `/v1/payments/${a.id}`)).json().status, 'pending')
  await s.stop()
  assert.equal(luwak(s, 'verify').status, 0)
})

test('what is changed through the API is in the audit log: endpoints and their secrets; and the chain holds', async () => {
  const s = await Server.start({ dir: root('channels', 'rules', 'scripts'), args: ['--workers', '2'] })
  const made = await Promise.all(Array.from({ length: 12 }, (_, i) => post(s, '/v1/webhook_endpoints', { url: `http://127.0.0.1:9/${i}` })))
  for (const r of made) assert.equal(r.status, 201, r.body)
  const id = made[0].json().id
  assert.equal((await post(s, `/v1/webhook_endpoints/${id}/rotate_secret`)).status, 200)
  assert.equal((await post(s, `/v1/webhook_endpoints/${id}`, { disabled: true })).status, 200)
  assert.equal((await s.ask('DELETE', `/v1/webhook_endpoints/${id}`, { headers: DEMO })).status, 200)
  assert.equal((await post(s, '/v1/webhook_endpoints', { url: 'nonsense' })).status, 400)
  await s.stop()
  assert.equal(lines(s), 15, 'twelve at once follow one another; what was refused leaves nothing')
  assert.equal(luwak(s, 'verify').status, 0)
})

test('two numbers are paid under one id: the second one is nobody\'s news unless a person hears of it', async () => {
  const s = await Server.start({ dir: root('channels', 'rules', 'scripts') })
  const [one, two] = [(await post(s, PATH, { bank: 'self' })).json(), (await post(s, PATH, { bank: 'self' })).json()]
  const pay = v => tell(s, { va_number: v.va_number, amount: 10000, money_id: 'm-1' })
  assert.equal((await pay(one)).json().status, 'applied')
  const { id } = (await get(s, '/v1/payments')).json().data[0]
  const notes = () => luwak(s, 'explain', id, '--root', s.dir).stdout.split('money_id_of_another_payment').length - 1
  assert.equal((await pay(one)).json().status, 'applied', 'the same bytes again')
  assert.equal(notes(), 0)
  assert.equal((await pay(two)).json().status, 'duplicate')
  assert.equal((await get(s, '/v1/payments')).json().data.length, 1)
  assert.equal(notes(), 1)
  await s.stop()
})
