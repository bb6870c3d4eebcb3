// Provider accounts of merchants: two merchants with contracts of their own, at Midtrans and at DOKU, beside the shared one.
import { test } from 'node:test'
import assert from 'node:assert/strict'
import { createHash, createPublicKey, generateKeyPairSync } from 'node:crypto'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { LUWAK, ROOT, cleanEnv } from './luwak.mjs'
import { Server, root } from './server.mjs'

const DEMO_KEY = 'SB-Mid-server-demo'
const basic = key => ({ authorization: 'Basic ' + Buffer.from(key + ':').toString('base64') })
const sha512 = (...parts) => createHash('sha512').update(parts.join('')).digest('hex')

function luwak (s, args, input) {
  const r = spawnSync(LUWAK, [...args, '--simulated', '--data', s.data, '--root', s.dir], { env: cleanEnv({}), encoding: 'utf8', input })
  assert.equal(r.status, 0, r.stderr)
  return r.stdout.trim()
}

const account = (s, provider, id, keys) =>
  assert.equal(luwak(s, ['account', 'new', provider, '--merchant', id], JSON.stringify(keys)), `${provider}/${id}`)

// A merchant with a key of ours, and one of Midtrans'.
function merchant (s, name, serverKey) {
  const id = luwak(s, ['merchant', 'new', '--name', name, '--direct'])
  if (serverKey) account(s, 'midtrans', id, { MIDTRANS_SERVER_KEY: serverKey })
  const secret = luwak(s, ['key', 'new', id]).split('  ')[1]
  const ask = (method, path, body, headers = {}) => s.ask(method, path, { body, headers: { ...basic(secret), ...headers } })
  return { id, serverKey, ask, create: (order_id, more) => ask('POST', '/v1/payments', { order_id, amount: 50000, method: 'virtual_account', bank: 'bca', ...more }) }
}

// Midtrans' notification of a settlement, signed with that key.
const notification = (p, key, more = {}) => {
  const n = { order_id: p.attempts[0].reference, status_code: '200', gross_amount: '50000.00', transaction_status: 'settlement', fraud_status: 'accept',
    transaction_id: 'tx-' + p.id, settlement_time: '2026-01-31 10:00:00', ...more }
  return { ...n, signature_key: sha512(n.order_id, n.status_code, n.gross_amount, key) }
}
const transaction = async (s, p, key) => (await s.get(`/sandbox/midtrans/v2/${p.attempts[0].reference}/status`, { headers: basic(key) })).json()

test('two merchants with server keys of their own: each is charged, told, asked and paid back with its own', async () => {
  const s = await Server.start({ dir: root('channels', 'rules', 'scripts') })
  const a = merchant(s, 'Toko A', 'SB-Mid-server-aaaa'), b = merchant(s, 'Toko B', 'SB-Mid-server-bbbb'), c = merchant(s, 'Toko C')
  const [pa, pb, pc] = await Promise.all([a, b, c].map(async m => {
    const r = await m.create('o-1')
    assert.equal(r.status, 201, r.body)
    assert.equal(r.json().status, 'pending', r.body)
    return r.json()
  }))
  // the same order id thrice: each account has its own references and books
  for (const p of [pa, pb, pc]) assert.equal(p.attempts[0].reference, 'o-1')
  assert.equal((await transaction(s, pa, a.serverKey)).custom_field1, pa.id)
  assert.equal((await transaction(s, pb, b.serverKey)).custom_field1, pb.id)
  assert.equal((await transaction(s, pc, DEMO_KEY)).custom_field1, pc.id)

  const hook = m => m.serverKey ? `/callbacks/midtrans/${m.id}` : '/callbacks/midtrans'
  const paid = async (m, p) => (await m.ask('GET', `/v1/payments/${p.id}`)).json().amount_paid
  for (const [m, p, wrong] of [[a, pa, b.serverKey], [a, pa, DEMO_KEY], [b, pb, a.serverKey], [c, pc, a.serverKey]]) {
    const note = notification(p, wrong)
    assert.equal((await s.post(hook(m), note)).status, 401, `${hook(m)} signed with ${wrong}`)
    const raw = JSON.stringify(note)
    assert.equal((await s.post(hook(m), raw, { headers: { 'x-signature-key': sha512(raw, wrong) } })).status, 401)
    assert.equal(await paid(m, p), 0)
  }
  // B's key is right at B's path, and says nothing of A's payment there
  assert.equal((await s.post(hook(b), notification(pa, b.serverKey, { order_id: 'only-a-has-this' }))).status, 503)

  // the right key: what Midtrans' own callback does
  for (const p of [pa, pb, pc]) assert.equal((await s.post('/sandbox/midtrans/_control', { pay: p.id })).status, 200)
  for (const [m, p] of [[a, pa], [b, pb], [c, pc]]) assert.equal(await paid(m, p), 50000)
  assert.equal((await s.post(hook(a), notification(pa, a.serverKey, { transaction_id: (await transaction(s, pa, a.serverKey)).transaction_id }))).status, 200)
  assert.equal(await paid(a, pa), 50000, 'once')

  // whose account it is says whose money it is: by ours it is a debt of ours, whatever kind of merchant
  const pending = async m => (await m.ask('GET', '/v1/balance')).json().pending
  assert.ok(await pending(c) > 40000)
  for (const m of [a, b]) assert.ok(await pending(m) <= 0, 'it never passed us')

  // questions and refunds go to the account that took the money
  const qris = (await a.create('o-2', { method: 'qris', bank: undefined })).json()
  assert.equal((await s.post('/sandbox/midtrans/_control', { pay: qris.id })).status, 200)
  const refund = await a.ask('POST', `/v1/payments/${qris.id}/refunds`, { amount: 20000 }, { 'idempotency-key': 'r-1' })
  assert.equal(refund.json().status, 'success', refund.body)
  assert.equal((await transaction(s, qris, a.serverKey)).refund_amount, '20000.00')
  const open = (await b.create('o-3')).json()
  assert.equal((await b.ask('POST', `/v1/payments/${open.id}/cancel`)).json().status, 'cancelled')
  assert.equal((await transaction(s, open, b.serverKey)).transaction_status, 'cancel')
  await s.stop()
  const checked = spawnSync(LUWAK, ['verify', '--simulated', '--data', s.data], { env: cleanEnv({}), encoding: 'utf8' })
  assert.equal(checked.status, 0, checked.stdout + checked.stderr)
})

test('an own account never uses a shared key: what it lacks is not available', async () => {
  const s = await Server.start({ dir: root('channels', 'rules', 'scripts') })
  const a = merchant(s, 'Toko A')
  luwak(s, ['account', 'new', 'midtrans', '--merchant', a.id], JSON.stringify({ MIDTRANS_CLIENT_KEY: 'SB-Mid-client-a' }))
  const r = await a.create('o-1', { channel: 'midtrans_bca_va' })
  assert.equal(r.status, 503, r.body)
  const channels = (await a.ask('GET', '/v1/channels')).json().data
  assert.equal(channels.find(c => c.name === 'midtrans_bca_va').available, false)
  assert.equal(channels.find(c => c.name === 'self_va').available, true)
  luwak(s, ['account', 'new', 'midtrans', '--merchant', a.id], JSON.stringify({ MIDTRANS_SERVER_KEY: 'SB-Mid-server-a' }))
  assert.equal((await a.create('o-1')).status, 201, 'taken up at once')
  await s.stop()
})

// What DOKU signs with: in simulated mode the demo pair, whose public half a merchant is given.
const DOKU_KEY = createPublicKey(readFileSync(join(ROOT, 'examples/keys/demo.pem'))).export({ type: 'spki', format: 'pem' })

function dokuMerchant (s, name, prefix) {
  const m = merchant(s, `Toko ${name}`)
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048, privateKeyEncoding: { type: 'pkcs8', format: 'pem' }, publicKeyEncoding: { type: 'spki', format: 'pem' } })
  const keys = { DOKU_CLIENT_ID: `BRN-${name}`, DOKU_SECRET_KEY: `SK-${name}`, DOKU_PRIVATE_KEY: privateKey, DOKU_PUBLIC_KEY: DOKU_KEY,
    DOKU_BCA_SERVICE_ID: prefix, DOKU_QRIS_MERCHANT_ID: `10${prefix}`, DOKU_QRIS_TERMINAL_ID: 'B01', DOKU_QRIS_POSTAL_CODE: '20210' }
  account(s, 'doku', m.id, keys)
  return { ...m, keys }
}

test('two merchants with keys of their own at DOKU: each signs, is told by callback and is paid back with its own', async () => {
  const s = await Server.start({ dir: root('channels', 'rules', 'scripts') })
  const a = dokuMerchant(s, 'aaaa', '19101'), b = dokuMerchant(s, 'bbbb', '19102'), c = merchant(s, 'Toko C')
  const create = async (m, order, channel) => {
    const r = await m.ask('POST', '/v1/payments', { order_id: order, amount: 50000, channel })
    assert.equal(r.status, 201, r.body)
    assert.equal(r.json().status, 'pending', r.body)
    return r.json()
  }
  const show = async (m, p) => (await m.ask('GET', `/v1/payments/${p.id}`)).json()
  const pay = async name => {
    const r = await s.post('/sandbox/doku/_control', { pay: name })
    assert.equal(r.status, 200, r.body)
    return r.json().callbacks
  }
  // SNAP: the same order id thrice, a token each; told below the merchant's own address
  const [va, vb, vc] = await Promise.all([a, b, c].map(m => create(m, 'o-1', 'doku_bca_va')))
  for (const [m, p, prefix] of [[a, va, '19101'], [b, vb, '19102'], [c, vc, '19008']]) {
    assert.equal(p.attempts[0].reference, 'o-1')
    assert.ok(p.instructions.va_number.startsWith(prefix), p.instructions.va_number)
    assert.deepEqual((await pay(p.instructions.va_number)).map(x => [new URL(x.url).pathname, x.status]),
      [[(m === c ? '' : `/callbacks/doku/${m.id}`) + '/v1/transfer-va/payment', 200]])
    assert.equal((await show(m, p)).amount_paid, 50000)
  }
  for (const [m, p] of [[a, va], [b, vb], [c, vc]]) assert.equal((await show(m, p)).amount_paid, 50000, 'its own, and no other')

  // the other families of calls: a wallet (SNAP), QRIS and the card page (told without SNAP)
  for (const [order, channel, path] of [['o-2', 'doku_dana', '/v1.0/debit/notify'], ['o-3', 'doku_qris', ''], ['o-4', 'doku_card', '']]) {
    const p = await create(a, order, channel)
    assert.deepEqual((await pay(order)).map(x => [new URL(x.url).pathname, x.status]), [[`/callbacks/doku/${a.id}${path}`, 200]])
    const now = await show(a, p)
    assert.equal(now.status, 'success')
    const refund = await a.ask('POST', `/v1/payments/${p.id}/refunds`, { amount: 50000 }, { 'idempotency-key': `r-${order}` })
    assert.equal(refund.json().status, 'success', refund.body)
  }
  // polled and withdrawn with its own key, too
  const open = await create(b, 'o-5', 'doku_bca_va')
  assert.equal((await b.ask('POST', `/v1/payments/${open.id}/sync`)).json().status, 'pending')
  assert.equal((await b.ask('POST', `/v1/payments/${open.id}/cancel`)).json().status, 'cancelled')

  // one's id with another's secret is nobody
  account(s, 'doku', b.id, { ...b.keys, DOKU_CLIENT_ID: 'BRN-aaaa' })
  const r = await b.ask('POST', '/v1/payments', { order_id: 'o-6', amount: 50000, channel: 'doku_card' })
  assert.deepEqual([r.json().status, r.json().failure?.code], ['failed', 'UNAUTHORIZED_AT_PROVIDER'], r.body)
  await s.stop()
  const checked = spawnSync(LUWAK, ['verify', '--simulated', '--data', s.data], { env: cleanEnv({}), encoding: 'utf8' })
  assert.equal(checked.status, 0, checked.stdout + checked.stderr)
})
