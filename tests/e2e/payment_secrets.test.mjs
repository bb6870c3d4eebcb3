// Canaries through payments: card numbers, API keys, providers' keys, the data key, webhook-like tokens and
// what is personal. None is found in database, WAL, backup, log, recorded exchanges, metrics or answers:
// it is refused, masked, hashed or sealed.
import { test } from 'node:test'
import assert from 'node:assert/strict'
import { createHash, createHmac, randomBytes } from 'node:crypto'
import { cpSync, existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT, luwak, temporary } from './luwak.mjs'
import { Server } from './server.mjs'

const SERVER_KEY = 'SB-Mid-server-canary5f1d0c2b9e7a'
const SELF_KEY = 'canary-self-77aa11bb22cc33dd'
const DATA_KEY = randomBytes(32).toString('base64')
const TOKEN = 'canary-token-0123456789abcdef'
const CARDS = ['4811111111111114', '5500 0000 0000 0004', '3782-822463-10005']
const PERSON = { name: 'Canary Kenari', email: 'kenari@canary.example', phone: '081299887766' }
const ACCOUNT = '7788990011223'

const basic = key => 'Basic ' + Buffer.from(key + ':').toString('base64')

test('what is secret is nowhere in the clear', async () => {
  const dir = join(temporary(), 'root'), data = join(temporary(), 'data')
  for (const part of ['channels', 'rules', 'scripts']) cpSync(join(ROOT, part), join(dir, part), { recursive: true })
  const env = { MIDTRANS_SERVER_KEY: SERVER_KEY, SELF_KEY, LUWAK_DATA_KEY: DATA_KEY, LUWAK_LOG_LEVEL: 'debug' }
  const own = ['--simulated', '--data', data, '--root', dir]
  const run = (...args) => { const r = luwak([...args, ...own], { cwd: dir, env }); assert.equal(r.code, 0, r.err); return r.out.trim() }
  const merchant = run('merchant', 'new', '--name', 'Canary')
  const API_KEY = run('key', 'new', merchant).split('  ')[1], REVOKED = run('key', 'new', merchant, '--label', 'old').split('  ')
  run('key', 'revoke', merchant, REVOKED[0])
  const s = await Server.start({ dir, data, env })
  const said = []
  const ask = async (method, path, body, headers = {}) => {
    const r = await s.ask(method, path, { body, headers: { authorization: basic(API_KEY), ...headers } })
    said.push(`${method} ${r.status} ${JSON.stringify(r.headers)} ${r.body}`)
    return r
  }
  const order = (order_id, more) => ({ order_id, amount: 50000, ...more })
  const tell = (path, note, headers) => ask('POST', path, note, { authorization: '', ...headers })

  // payments of every kind, paid and refunded, by a person who is somebody
  const qris = (await ask('POST', '/v1/payments', order('c-1', { method: 'qris', customer: PERSON }), { 'idempotency-key': 'c-1' })).json()
  const va = (await ask('POST', '/v1/payments', order('c-2', { method: 'virtual_account', bank: 'self', customer: PERSON }), { 'idempotency-key': 'c-2' })).json()
  const bca = (await ask('POST', '/v1/payments', order('c-3', { method: 'virtual_account', bank: 'bca', customer: PERSON }))).json()
  assert.deepEqual([qris.status, va.status, bca.status], ['pending', 'pending', 'pending'])
  assert.deepEqual(qris.customer, PERSON)
  for (const p of [qris, bca]) assert.equal((await ask('POST', '/sandbox/midtrans/_control', { pay: p.id })).status, 200)
  const destination = { bank: 'bca', account_number: ACCOUNT, account_holder: PERSON.name }
  assert.equal((await ask('POST', `/v1/payments/${qris.id}/refunds`, { amount: 1000 }, { 'idempotency-key': 'r-1' })).status, 201)
  assert.equal((await ask('POST', `/v1/payments/${bca.id}/refunds`, { amount: 1000, destination }, { 'idempotency-key': 'r-2' })).status, 201)

  // callbacks that carry what they should not: verified ones, and others
  const note = { order_id: 'c-1', status_code: '200', gross_amount: '50000.00', transaction_status: 'settlement', transaction_id: 'x', masked_card: CARDS[0], token_id: TOKEN }
  note.signature_key = createHash('sha512').update(note.order_id + note.status_code + note.gross_amount + SERVER_KEY).digest('hex')
  assert.notEqual((await tell('/callbacks/midtrans', note)).status, 401, 'it is verified')
  assert.equal((await tell('/callbacks/midtrans', { ...note, signature_key: SERVER_KEY, customer: PERSON })).status, 401)
  const money = JSON.stringify({ va_number: va.instructions.va_number, amount: 50000, money_id: 'm-1', status: 'paid', note: `${CARDS[0]} ${CARDS[1]} ${TOKEN} ${PERSON.email}` })
  const signature = createHmac('sha512', SELF_KEY).update(money).digest('hex')
  assert.equal((await tell('/callbacks/self', money, { 'content-type': 'application/json', 'x-signature': signature })).status, 200)
  assert.equal((await ask('GET', `/v1/payments/${va.id}`)).json().status, 'success')
  await tell('/callbacks/self', money, { 'content-type': 'application/json', 'x-signature': SELF_KEY })

  // card numbers at every door, keys where they do not belong
  for (const card of CARDS) {
    for (const more of [{ description: `card ${card}` }, { customer: { name: card } }, { metadata: { note: card } }, { items: [{ name: card, price: 1, quantity: 1 }] }, { options: { card } }]) {
      assert.equal((await ask('POST', '/v1/payments', order('c-9', { method: 'qris', ...more }))).status, 400)
    }
    await ask('GET', `/v1/payments?order_id=${encodeURIComponent(card)}&x=${encodeURIComponent(card)}`)
    await ask('GET', '/v1/payments', undefined, { 'x-note': card })
    await ask('POST', '/v1/payments', `{"order_id":"${card}`, { 'content-type': 'application/json' })
    await ask('POST', '/sandbox/midtrans/v2/charge', { payment_type: 'credit_card', card_number: card, transaction_details: { order_id: 'x', gross_amount: 1 } }, { authorization: basic(SERVER_KEY) })
  }
  for (const key of [API_KEY, REVOKED[1], SERVER_KEY, TOKEN]) {
    await ask('GET', `/v1/payments?key=${key}`)
    await ask('GET', `/none?token=${key}`, undefined, { authorization: basic(key) })
    await ask('GET', '/v1/balance', undefined, { authorization: `Bearer ${key}`, cookie: `session=${key}`, 'x-api-key': key })
    await ask('POST', '/v1/payments', order('c-8', { method: 'qris', key }))
  }
  // the provider does not answer, answers rubbish, refuses: what is logged then
  for (const next of ['rubbish', 'server_error', 'refused']) {
    await ask('POST', '/sandbox/midtrans/_control', { next })
    assert.equal((await ask('POST', '/v1/payments', order(`c-${next}`, { method: 'qris', customer: PERSON }))).status, 201)
  }
  assert.equal((await s.post('/sandbox/_clock', { advance: '26h' })).status, 200)
  said.push((await s.get('/metrics')).body)

  // a tool that asks the provider, recorded
  writeFileSync(join(dir, 'ask.lua'), `return { api = 1, about = "asks", args = {}, run = function()
    local answer = http.get { url = "https://api.sandbox.midtrans.com/v2/c-1/status", basic = { "${SERVER_KEY}", "" }, headers = { ["X-Token"] = "${TOKEN}" } }
    assert(answer.status == 200)
  end }`)
  const tape = join(dir, 'tape.txt')
  const ran = luwak(['run', 'ask.lua', '--record', tape, ...own], { cwd: dir, env })
  assert.equal(ran.code, 0, ran.err)
  assert.ok(existsSync(tape) && readFileSync(tape, 'utf8').includes('/v2/c-1/status'))
  const copied = luwak(['backup', join(data, 'copy.db'), '--simulated', '--data', data], { cwd: dir, env })
  assert.equal(copied.code, 0, copied.err)

  const files = () => readdirSync(data).filter(f => f !== 'reserve' && f !== 'control.sock').map(f => [f, readFileSync(join(data, f), 'latin1')])
  const stored = files()
  assert.ok(stored.some(([f]) => f.endsWith('-wal')) && stored.some(([f]) => f === 'copy.db'))
  assert.ok(stored.some(([, text]) => text.includes('c-rubbish')), 'what is no secret is found')
  await s.stop()
  const kept = [...stored, ...files(), ['log', s.raw], ['output', s.out], ['recording', readFileSync(tape, 'latin1')], ['run', ran.out + ran.err]]
  const secrets = [API_KEY, API_KEY.slice(-20), REVOKED[1], SERVER_KEY, SELF_KEY, DATA_KEY, TOKEN, ...CARDS, ...CARDS.map(c => c.replace(/\D/g, '')),
    ...[API_KEY, SERVER_KEY].map(k => basic(k).slice(6, 36)), Buffer.from(DATA_KEY, 'base64').toString('latin1')]
  const wrong = []
  const look = (places, words) => {
    for (const [where, text] of places) {
      for (const word of words) {
        const at = text.indexOf(word)
        if (at >= 0) wrong.push(`${where} holds ${word}: ${text.slice(Math.max(0, at - 160), at + 60).replace(/[^ -~]/g, '.')}`)
      }
    }
  }
  look([...kept, ['answers', said.join('\n')]], secrets)
  look(kept, [...Object.values(PERSON), ACCOUNT]) // whoever gave it may read it again
  assert.deepEqual(wrong, [])
})
