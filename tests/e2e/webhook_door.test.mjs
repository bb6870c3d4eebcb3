// POST /api/payment/webhook: Midtrans' notifications, and the architecture document's signature over the raw body.
// Where the header is there it decides; without it the body's own signature must be right. Nothing else is believed.
import { test } from 'node:test'
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { spawnSync } from 'node:child_process'
import { LUWAK, cleanEnv } from './luwak.mjs'
import { Server, root } from './server.mjs'
import { changed, countable, rows } from './rows.mjs'

const HOOK = '/api/payment/webhook', SERVER_KEY = 'SB-Mid-server-demo'
const basic = key => ({ authorization: 'Basic ' + Buffer.from(key + ':').toString('base64') })
const KEY = { headers: basic('sk_test_demo') }
const sha512 = (...parts) => createHash('sha512').update(parts.join('')).digest('hex')

// The document's example, for one of our orders.
const note = (order_id, more = {}) => ({ transaction_time: '2026-01-02 10:05:00', transaction_status: 'settlement', transaction_id: 'tx-' + order_id,
  status_message: 'Settlement notification', status_code: '200', settlement_time: '2026-01-02 10:10:00', payment_type: 'bank_transfer', order_id,
  merchant_id: 'M12345', masked_card: null, gross_amount: '150000.00', fraud_status: 'accept', currency: 'IDR', channel_response_code: '0000',
  channel_response_message: 'Approved', card_type: null, approval_code: null, ...more })
const signed = (n, key = SERVER_KEY) => ({ ...n, signature_key: sha512(n.order_id, n.status_code, n.gross_amount, key) })
const header = (raw, key = SERVER_KEY) => ({ 'content-type': 'application/json', 'x-signature-key': sha512(raw, key) })

async function start (prepare = () => {}) {
  const dir = root('channels', 'rules', 'scripts')
  prepare(dir)
  const s = await Server.start({ dir })
  let n = 0
  const create = async (order_id = `wh-${++n}`) => {
    const r = await s.post('/v1/payments', { order_id, amount: 150000, method: 'virtual_account', bank: 'bca' }, KEY)
    assert.equal(r.status, 201, r.body)
    return r.json()
  }
  const seen = async p => (await s.get('/v1/payments/' + p.id, KEY)).json()
  return { s, create, seen, post: (raw, headers = { 'content-type': 'application/json' }, path = HOOK) => s.post(path, raw, { headers }) }
}

test('either signature is believed, the header over the raw body before the other', async () => {
  const { s, create, seen, post } = await start()
  const settled = async (p, r) => {
    assert.equal(r.status, 200, r.body)
    const now = await seen(p)
    assert.deepEqual([now.status, now.amount_paid], ['success', 150000])
  }
  let p = await create()
  await settled(p, await post(JSON.stringify(signed(note(p.order_id)))))
  p = await create()
  await s.post('/sandbox/midtrans/_control', { next: 'reorder' }) // paid there, and it is us who tell of it
  assert.equal((await s.post('/sandbox/midtrans/_control', { pay: p.id })).status, 200)
  const { transaction_id } = (await s.get(`/sandbox/midtrans/v2/${p.order_id}/status`, { headers: basic(SERVER_KEY) })).json()
  let raw = JSON.stringify({ ...note(p.order_id, { transaction_id }), signature_key: 'e0a682ecb9c9e60b2ba7b29b72d5a80ff3d7e' })
  for (let i = 0; i < 4; i++) await settled(p, await post(raw, header(raw)))
  await settled(p, await post(JSON.stringify(signed(note(p.order_id, { transaction_id })))))
  p = await create()
  raw = '\n' + JSON.stringify(note(p.order_id), null, 4).replace('"IDR"', '"\\u0049DR"') + '\r\n'
  await settled(p, await post(raw, { ...header(raw), 'x-signature-key': sha512(raw, SERVER_KEY).toUpperCase() }, HOOK + '/'))
  p = await create()
  raw = JSON.stringify(note(p.order_id))
  const at = '/callbacks/midtrans'
  await settled(p, await post(raw, header(raw), at))
  const got = await s.get(HOOK)
  assert.deepEqual([got.status, got.headers.allow], [405, 'POST'])
  assert.equal((await post(raw, header(raw), HOOK + '/more')).status, 404)
  await s.stop()
})

test('what is verified and not what was asked for: unknown, another amount, twice, of no news', async () => {
  const { s, create, seen, post } = await start()
  const unknown = JSON.stringify(signed(note('nobody-knows')))
  for (const status of ['settlement', 'pending', 'deny', 'expire', 'cancel', 'failure']) {
    const n = JSON.stringify(signed(note('nobody-knows', { transaction_status: status })))
    assert.equal((await post(n)).status, 503, `${status}: Midtrans says it again`)
    assert.equal((await post(n, header(n))).status, 503, status)
  }
  assert.equal((await post(unknown)).status, 503)
  const p = await create()
  const other = await post(JSON.stringify(signed(note(p.order_id, { gross_amount: '149000.00', transaction_id: 'tx-other' }))))
  assert.equal(other.status, 200, 'booked, and waits for a person')
  assert.deepEqual([(await seen(p)).status, (await seen(p)).amount_paid], ['pending', 0])
  assert.equal((await post(JSON.stringify(signed(note(p.order_id, { transaction_status: 'pending', status_code: '201' }))))).status, 200)
  assert.equal((await seen(p)).status, 'pending')
  assert.equal((await post(JSON.stringify(signed(note(p.order_id))))).status, 200)
  assert.equal((await seen(p)).amount_paid, 150000)
  await s.stop()
  const checked = spawnSync(LUWAK, ['verify', '--simulated', '--data', s.data], { env: cleanEnv({}), encoding: 'utf8' })
  assert.equal(checked.status, 0, checked.stdout + checked.stderr)
})

test('a merchant with an account of its own is told by its own key, at its own path', async () => {
  const { s, create, seen, post } = await start()
  const luwak = (args, input) => {
    const r = spawnSync(LUWAK, [...args, '--simulated', '--data', s.data, '--root', s.dir], { env: cleanEnv({}), encoding: 'utf8', input })
    assert.equal(r.status, 0, r.stderr)
    return r.stdout.trim()
  }
  const id = luwak(['merchant', 'new', '--name', 'Toko', '--direct']), own = 'SB-Mid-server-own'
  luwak(['account', 'new', 'midtrans', '--merchant', id], JSON.stringify({ MIDTRANS_SERVER_KEY: own }))
  const mine = { headers: basic(luwak(['key', 'new', id]).split('  ')[1]) }
  const made = await s.post('/v1/payments', { order_id: 'own-1', amount: 150000, method: 'virtual_account', bank: 'bca' }, mine)
  assert.equal(made.status, 201, made.body)
  const p = made.json(), paid = async () => (await s.get('/v1/payments/' + p.id, mine)).json().amount_paid
  const n = note('own-1'), raw = JSON.stringify(n)
  const shared = await create('own-1') // the same order id on the shared account is another payment
  for (const [what, path, body, headers, status] of [
    ['its key, at the shared path', HOOK, JSON.stringify(signed(n, own)), undefined, 401],
    ['its key over the body, at the shared path', HOOK, raw, header(raw, own), 401],
    ['the shared key, at its path', `/callbacks/midtrans/${id}`, JSON.stringify(signed(n)), undefined, 401],
    ['the shared key over the body, at its path', `/callbacks/midtrans/${id}`, raw, header(raw), 401]]) {
    const r = await post(body, headers, path)
    assert.equal(r.status, status, `${what}: ${r.body}`)
    assert.equal(await paid(), 0, what)
    assert.equal((await seen(shared)).amount_paid, 0, what)
  }
  assert.equal((await post(raw, header(raw))).status, 200, 'the shared key: the shared account\'s payment')
  assert.deepEqual([(await seen(shared)).amount_paid, await paid()], [150000, 0])
  assert.equal((await post(raw, header(raw, own), `/callbacks/midtrans/${id}`)).status, 200)
  assert.equal(await paid(), 150000)
  await s.stop()
})

test('what is not verified is refused and changes nothing', async () => {
  const { s, create, seen, post } = await start(countable)
  const p = await create(), other = await create()
  const n = note(p.order_id), good = signed(n), raw = JSON.stringify(good)
  const without = name => { const { [name]: _, ...rest } = good; return JSON.stringify(rest) }
  const wrong = []
  const json = { 'content-type': 'application/json' }
  for (const value of ['', '0', 'null', 'undefined', sha512(raw), sha512(SERVER_KEY, raw), sha512(raw, ' ', SERVER_KEY), sha512(raw, 'SB-Mid-server-other'),
    sha512(raw, SERVER_KEY).slice(1), sha512(raw, SERVER_KEY) + '0', `${sha512(raw, SERVER_KEY)}, ${sha512(raw, SERVER_KEY)}`, good.signature_key,
    Buffer.from(sha512(raw, SERVER_KEY), 'hex').toString('base64'), sha512(raw + '\n', SERVER_KEY), sha512(JSON.stringify(n), SERVER_KEY),
    createHash('sha256').update(raw + SERVER_KEY).digest('hex'), '0'.repeat(128)]) {
    wrong.push([`the header ${value.slice(0, 20)}, and the body's own right`, raw, { ...json, 'x-signature-key': value }])
  }
  wrong.push(['the header of another body', raw + ' ', header(raw)], ['the header of another order', JSON.stringify(note(other.order_id)), header(raw)])
  for (const value of ['', '0', sha512(SERVER_KEY), sha512(n.order_id, n.status_code, n.gross_amount), sha512(n.order_id, n.status_code, n.gross_amount, 'other'),
    sha512(n.order_id, n.gross_amount, SERVER_KEY), good.signature_key.slice(2), good.signature_key + ' ', ' ' + good.signature_key, [good.signature_key], { a: good.signature_key }, 5, true, null]) {
    wrong.push([`signature_key ${JSON.stringify(value).slice(0, 20)}`, JSON.stringify({ ...good, signature_key: value })])
  }
  for (const name of ['signature_key', 'order_id', 'status_code', 'gross_amount']) wrong.push([`without ${name}`, without(name)])
  for (const [name, values] of Object.entries({ order_id: [other.order_id, 7, null, [], p.order_id + ' '], status_code: [200, '201', null, true], gross_amount: [150000, '150000', '150000.0', '1.00', null, {}] })) {
    for (const value of values) wrong.push([`${name} ${JSON.stringify(value)}`, JSON.stringify({ ...good, [name]: value })])
  }
  for (const body of ['', '{', '[]', 'null', '5', '"x"', '[' + raw + ']', raw + raw, raw.slice(0, -1), 'x=1', '<xml/>', '[['.repeat(4000), '{"a":'.repeat(9000), '\ufeff' + raw, raw.replace('{', '{"order_id":"x",')]) {
    wrong.push([`the body ${body.slice(0, 20)}`, body])
  }
  const nobody = header('[]')
  wrong.push(['a form', new URLSearchParams(Object.entries(good).filter(([, v]) => v)).toString(), { 'content-type': 'application/x-www-form-urlencoded' }])
  assert.ok(wrong.length >= 60, `${wrong.length} cases`)
  const before = await rows(s)
  for (const [what, body, headers = json] of wrong) {
    const r = await post(body, headers)
    assert.equal(r.status, 401, `${what}: ${r.body}`)
    assert.equal(r.headers['content-type'], 'application/problem+json', what)
    assert.equal(r.json().code, 'UNAUTHORIZED', what)
    for (const one of [p, other]) assert.deepEqual([(await seen(one)).status, (await seen(one)).amount_paid], ['pending', 0], what)
    assert.deepEqual(changed(before, await rows(s)), [], what)
  }
  // proven, and it says nothing: refused for good, not repeated for hours
  assert.equal((await post('[]', nobody)).status, 400)
  assert.equal((await post('{}', header('{}'))).status, 400)
  assert.equal((await post(JSON.stringify(signed({ ...n, gross_amount: 'all' })))).status, 400)
  assert.deepEqual(changed(before, await rows(s)), [])
  assert.equal((await post(raw)).status, 200, 'what was changed is what was refused')
  assert.equal((await seen(p)).amount_paid, 150000)
  await s.stop()
})

test('a body of more than a megabyte is not read at all, wherever a provider calls', async () => {
  const { s, create, seen, post } = await start(countable)
  const p = await create(), good = JSON.stringify(signed(note(p.order_id)))
  const before = await rows(s)
  for (const path of [HOOK, '/callbacks/midtrans', '/callbacks/xendit', '/callbacks/doku', '/callbacks/self', '/v1/transfer-va/payment', '/v1.0/debit/notify', '/authorization/v1/access-token/b2b']) {
    const raw = good.padEnd(1024 * 1024 + 1)
    const r = await post(raw, header(raw), path)
    assert.deepEqual([r.status, r.json().code], [413, 'BODY_TOO_LARGE'], path)
    assert.deepEqual(changed(before, await rows(s)), [], path)
  }
  const most = good.padEnd(1024 * 1024)
  assert.equal((await post(most, header(most))).status, 200, 'a megabyte is')
  assert.equal((await seen(p)).status, 'success')
  await s.stop()
})
