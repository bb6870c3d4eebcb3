// What is wrong with a request at Midtrans' door is told in Midtrans' shape, is no failure of ours, and leaves no row.
import { test } from 'node:test'
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Door, KEY, basic, shipped } from './midtrans_door.mjs'

const ROWS = 'return { api = 1, routes = { ["GET /test/rows"] = { auth = "none", run = function() return 200, json.array(store.query("test_rows")) end } } }'
const TABLES = ['payment', 'operation', 'refund', 'idempotency', 'person', 'event', 'kv', 'movement', 'ledger_entry']

const good = { payment_type: 'bank_transfer', transaction_details: { order_id: 'bad-1', gross_amount: 44000 }, bank_transfer: { bank: 'bca' } }
const details = more => ({ transaction_details: { ...good.transaction_details, ...more } })
const item = more => ({ item_details: [{ id: 'a', name: 'Kopi', price: 44000, quantity: 1, ...more }] })
const long = 'x'.repeat(51)
const nested = '['.repeat(40) + ']'.repeat(40)

// body -> the status_code, or several that would do. A text is sent as it stands.
const huge = 'x'.repeat(70000) // more than patterns take
const CHARGES = [
  ['', '413'], ['x', '413'], ['null', '413'], ['[]', '413'], ['"text"', '413'], ['7', '413'], ['{', '413'], ['{"a":1}x', '413'], [nested, '413'],
  [`{"a":${nested}}`, '400', '413'], ['{"a":1,"a":2}', '413'], ['\ufeff{}', '413'], ['{"payment_type":"qris\u0000"}', '413'], ['{}', '400'],
  [{ ...good, payment_type: undefined }, '400'], [{ ...good, payment_type: null }, '400'], [{ ...good, payment_type: 7 }, '400'],
  [{ ...good, payment_type: {} }, '400'], [{ ...good, payment_type: 'cash' }, '402'], [{ ...good, payment_type: 'BANK_TRANSFER' }, '402'],
  [{ ...good, payment_type: 'bri_epay' }, '402'], [{ ...good, transaction_details: undefined }, '400'], [{ ...good, transaction_details: [] }, '400'],
  [{ ...good, transaction_details: 'x' }, '400'], [{ ...good, ...details({ order_id: undefined }) }, '400'], [{ ...good, ...details({ order_id: '' }) }, '400'],
  [{ ...good, ...details({ order_id: long }) }, '400'], [{ ...good, ...details({ order_id: 'a b' }) }, '400'], [{ ...good, ...details({ order_id: 'a/b' }) }, '400'],
  [{ ...good, ...details({ order_id: 'é' }) }, '400'], [{ ...good, ...details({ order_id: {} }) }, '400'], [{ ...good, ...details({ order_id: true }) }, '400'],
  [{ ...good, ...details({ gross_amount: undefined }) }, '400'], [{ ...good, ...details({ gross_amount: '44000' }) }, '400'],
  [{ ...good, ...details({ gross_amount: 0 }) }, '400'], [{ ...good, ...details({ gross_amount: -1 }) }, '400'], [{ ...good, ...details({ gross_amount: 1.5 }) }, '400'],
  ['{"payment_type":"qris","transaction_details":{"order_id":"bad-1","gross_amount":44000.0}}', '400'],
  ['{"payment_type":"qris","transaction_details":{"order_id":"bad-1","gross_amount":1e4}}', '400'],
  ['{"payment_type":"qris","transaction_details":{"order_id":"bad-1","gross_amount":99999999999999999999}}', '400'],
  [{ ...good, ...details({ gross_amount: 1000000000001 }) }, '400'], [{ ...good, ...details({ gross_amount: null }) }, '400'],
  [{ ...good, ...details({ gross_amount: [44000] }) }, '400'], [{ ...good, bank_transfer: undefined }, '400'], [{ ...good, bank_transfer: 'bca' }, '400'],
  [{ ...good, bank_transfer: { bank: 'nobank' } }, '400'], [{ ...good, bank_transfer: { bank: '' } }, '400'], [{ ...good, bank_transfer: { bank: 7 } }, '400'],
  [{ ...good, bank_transfer: { bank: '../x' } }, '400'], [{ ...good, ...item({ price: 43999 }) }, '400'], [{ ...good, ...item({ price: '44000' }) }, '400'],
  [{ ...good, ...item({ quantity: 0 }) }, '400'], [{ ...good, ...item({ quantity: undefined }) }, '400'], [{ ...good, ...item({ price: 44000.5 }) }, '400'],
  [{ ...good, item_details: 'x' }, '400'], [{ ...good, item_details: [] }, '400'], [{ ...good, item_details: [7] }, '400'],
  ['{"payment_type":"qris","transaction_details":{"order_id":"bad-1","gross_amount":1},"item_details":[{"name":"a","price":-9223372036854775808,"quantity":1000000}]}', '400'],
  [{ ...good, item_details: Array.from({ length: 100 }, () => ({ name: 'a', price: 1000000000000, quantity: 1000000 })) }, '400'],
  [{ ...good, item_details: Array.from({ length: 101 }, () => ({ name: 'a', price: 440, quantity: 1 })) }, '400'],
  [{ ...good, customer_details: { email: 'nobody' } }, '400'], [{ ...good, customer_details: { phone: 'call me' } }, '400'],
  [{ ...good, customer_details: { first_name: 'x'.repeat(300) } }, '400'], [{ ...good, custom_field1: 7 }, '400'], [{ ...good, custom_field3: 'x'.repeat(256) }, '400'],
  [{ ...good, custom_expiry: 'tomorrow' }, '400'], [{ ...good, custom_expiry: { expiry_duration: 0 } }, '400'], [{ ...good, custom_expiry: { expiry_duration: '5' } }, '400'],
  [{ ...good, custom_expiry: { expiry_duration: 5, unit: 'fortnight' } }, '400'], [{ ...good, custom_expiry: { expiry_duration: 400, unit: 'day' } }, '400'],
  [{ ...good, custom_expiry: { expiry_duration: 5, unit: huge } }, '400'], [{ ...good, bank_transfer: { bank: huge } }, '400'],
  [{ ...good, customer_details: { first_name: huge } }, '400'], [{ ...good, note: huge, ...details({ gross_amount: 0 }) }, '400'],
  [{ ...good, custom_expiry: { expiry_duration: 200, unit: 'day' } }, '400'], [{ ...good, custom_expiry: { expiry_duration: 5, unit: 7 } }, '400'],
  [{ ...good, custom_expiry: { order_time: 'noon', expiry_duration: 5 } }, '400'], [{ ...good, custom_expiry: { order_time: '9999-01-01 00:00:00 +0700', expiry_duration: 5 } }, '400'],
  [{ ...good, payment_type: 'echannel' }, '400'], [{ ...good, payment_type: 'echannel', echannel: { bill_info1: 'longer than ten', bill_info2: 'x' } }, '400'],
  [{ ...good, payment_type: 'cstore' }, '400'], [{ ...good, payment_type: 'cstore', cstore: { store: 'warung' } }, '400'],
  [{ ...good, payment_type: 'cstore', cstore: { store: 'alfamart' }, ...details({ gross_amount: 1 }) }, '400'],
  [{ ...good, payment_type: 'shopeepay' }, '400'], [{ ...good, payment_type: 'shopeepay', shopeepay: { callback_url: 'javascript:alert(1)' } }, '400'],
  [{ ...good, payment_type: 'ovo' }, '400'], [{ ...good, payment_type: 'credit_card', credit_card: { type: 'authorize' } }, '402'],
  [{ ...good, payment_type: 'credit_card', credit_card: { recurring: true } }, '402'],
  [{ ...good, payment_type: 'credit_card', credit_card: { card_number: '4811 1111 1111 1114' } }, '400']
]
const SNAPS = ['', 'x', '[]', 'null', {}, details({ order_id: undefined }), details({ order_id: 'a b' }), details({ gross_amount: '1' }), details({ gross_amount: 0 }),
  { ...details({}), enabled_payments: [] }, { ...details({}), enabled_payments: ['cash'] }, { ...details({}), enabled_payments: 'bca_va' },
  { ...details({}), expiry: { unit: 'hour' } }, { ...details({}), expiry: { unit: 'hour', duration: -1 } }, { ...details({}), ...item({ price: 1 }) },
  { ...details({}), credit_card: { type: 'authorize' } }, { ...details({}), customer_details: { email: 'x' } }, { ...details({}), customer_details: { last_name: huge } }, { ...details({}), note: '4811111111111114' }]

test('bad requests: the shape, no 5xx, and not a row', async () => {
  const dir = shipped()
  writeFileSync(join(dir, 'scripts/queries/test_rows.sql'), TABLES.map(t => `SELECT '${t}' AS name, count(*) AS n FROM ${t}`).join(' UNION ALL '))
  writeFileSync(join(dir, 'scripts/api/test_rows.lua'), ROWS)
  const d = await Door.start({ dir })
  const open = await d.va('bca'), paid = await d.va('bni')
  await d.pay(paid.order_id)
  const rows = async () => (await d.s.get('/test/rows')).body
  const faults = []
  let count = 0
  const check = async (method, path, body, good, headers = basic(KEY)) => {
    const text = typeof body === 'string' ? body : JSON.stringify(body), before = await rows()
    const r = await d.s.ask(method, path, { body: text, headers: { 'content-type': 'application/json', ...headers } })
    const bad = why => faults.push(`${method} ${path} ${text?.slice(0, 200)}: ${why}: ${r.status} ${r.body.slice(0, 300)}`)
    count++
    let said
    try { said = r.json() } catch { return bad('no JSON') }
    if (r.status >= 500) bad('a 5xx')
    if (r.headers['content-type'] !== 'application/json') bad('another type')
    if (!r.headers['x-request-id']) bad('no id')
    const wrong = good(said, r)
    if (wrong) bad(wrong)
    if (await rows() !== before) bad('it left something')
  }
  const code = (...codes) => said => {
    if (!codes.includes(said.status_code)) return `expected ${codes}`
    if (!said.status_message || !/^[0-9a-f-]{36}$/.test(said.id)) return 'not its shape'
    if (said.status_code === '400' && !Array.isArray(said.validation_messages)) return 'no validation_messages'
  }
  const snap = (status, text) => (said, r) => {
    if (r.status !== status) return `expected ${status}`
    if (!Array.isArray(said.error_messages) || said.error_messages.length === 0 || Object.keys(said).length !== 1) return 'not its shape'
    if (text && !said.error_messages[0].includes(text)) return `expected ${text}`
  }
  for (const [body, ...codes] of CHARGES) {
    await check('POST', '/v2/charge', body, code(...codes))
    if (typeof body === 'object' && !('payment_type' in JSON.parse(JSON.stringify(body)))) continue // there it may be left out
    await check('POST', '/midtrans/create-payment', body, (said, r) => code(...codes)(said) ?? (r.status === (said.status_code === '413' ? 400 : Number(said.status_code)) ? undefined : 'HTTP says another thing'))
  }
  for (const body of SNAPS) await check('POST', '/snap/v1/transactions', body, snap(400))
  // a key that is none
  for (const headers of [{}, basic('sk_test_nobody'), basic('SB-Mid-server-demo'), { authorization: 'Basic !' }, { authorization: 'Bearer x' }]) {
    await check('POST', '/v2/charge', good, (said, r) => r.status === 401 ? code('401')(said) : 'not 401', headers)
    await check('GET', `/v2/${open.order_id}/status`, undefined, (said, r) => r.status === 401 ? code('401')(said) : 'not 401', headers)
    await check('POST', '/snap/v1/transactions', good, snap(401, 'Access denied'), headers)
  }
  // one that is there, or is none
  await check('POST', '/v2/charge', { ...good, ...details({ order_id: open.order_id }) }, code('406'))
  await check('POST', '/v2/charge', { ...good, ...details({ order_id: open.order_id, gross_amount: 1 }) }, code('406'))
  await check('POST', '/v2/charge', { ...good, ...details({ order_id: paid.order_id }) }, code('406'))
  await check('POST', '/snap/v1/transactions', details({ order_id: paid.order_id }), snap(400, 'taken'))
  await check('POST', '/snap/v1/transactions', details({ order_id: open.order_id, gross_amount: 1 }), snap(400, 'taken'))
  for (const id of ['nobody', 'pay_00000000000000000000000000', 'x'.repeat(300), '..%2f..', '%F0%9F%98%80', "'; DROP TABLE payment"]) {
    const path = encodeURI(decodeURIComponent(id) === id ? id : 'x') === 'x' ? id : encodeURIComponent(id)
    for (const [method, what] of [['GET', 'status'], ['POST', 'cancel'], ['POST', 'expire'], ['POST', 'refund'], ['POST', 'refund/online/direct'], ['POST', 'approve'], ['POST', 'deny']]) {
      await check(method, `/v2/${path}/${what}`, method === 'POST' ? '{}' : undefined, said => said.status_code ? code('404')(said) : said.status === 400 || said.status === 404 ? undefined : 'neither')
    }
  }
  // paths that it has not, and nobody has to be known for that
  for (const [method, path] of [['POST', `/v2/${paid.order_id}/capture`], ['GET', '/v2/nothing'], ['GET', '/v2/charge'], ['POST', '/v2/a/b/c/d'], ['PUT', '/v2/charge']]) {
    for (const headers of [undefined, {}]) await check(method, path, method === 'GET' ? undefined : '{}', (said, r) => r.status === 404 ? code('404')(said) : r.status, headers)
    await check(method, path.replace('/v2/', '/snap/'), undefined, snap(404, 'not found'))
  }
  for (const body of ['x', '[]', { refund_key: 7 }, { refund_key: 'a b' }, { refund_key: 'x'.repeat(201) }, { amount: 0 }, { amount: -1 }, { amount: '1' }, { amount: 1.5 }, { amount: 44001 }, {}]) {
    await check('POST', `/v2/${paid.order_id}/refund`, body, code('400', '412', '413', '414'))
    await check('POST', `/v2/${open.order_id}/refund`, body, code('400', '412', '413', '414'))
  }
  for (const body of ['x', '[]', {}, { transaction_id: 7 }, { transaction_id: '' }, { transaction_id: open.transaction_id, gross_amount: '1' }, { transaction_id: open.transaction_id, gross_amount: -1 },
    { transaction_id: paid.transaction_id, gross_amount: 44000 }, { transaction_id: 'nobody', gross_amount: 1 }]) await check('POST', '/v2/capture', body, code('400', '404', '412', '413', '414'))
  for (const what of ['cancel', 'expire', 'approve', 'deny']) await check('POST', `/v2/${paid.order_id}/${what}`, 'null', code('412'))
  await check('GET', '/v2/token?card_number=4811111111111114', undefined, (said, r) => r.status === 400 ? code('400')(said) : 'not 400')
  assert.deepEqual(faults, [])
  assert.ok(count > 250, `${count}`)
  await d.s.stop()
})

test('too many requests, and a script that fails: in its shape, too', async () => {
  const dir = shipped()
  const d = await Door.start({ dir })
  let last
  for (let i = 0; i < 110 && last?.status !== 429; i++) last = await d.s.get('/v2/nobody/status', { headers: basic('sk_test_limited') })
  assert.equal(last.status, 429)
  assert.equal(last.json().status_code, '429')
  assert.ok(last.headers['retry-after'])
  writeFileSync(join(dir, 'scripts/lib/door_midtrans_request.lua'), 'return { charge = function() error "out of order" end, page = function() error "out of order" end }')
  await d.s.logged('script_live', l => JSON.stringify(l).includes('api/midtrans'))
  const r = await d.s.post('/v2/charge', good, { headers: basic(KEY) })
  assert.deepEqual([r.status, r.json().status_code], [500, '500'])
  assert.match(r.json().id, /^[0-9a-f-]{36}$/)
  const snap = await d.s.post('/snap/v1/transactions', good, { headers: basic(KEY) })
  assert.equal(snap.status, 500)
  assert.equal(snap.json().error_messages.length, 1)
  assert.ok(!r.body.includes('out of order'), 'what failed is for our log')
  await d.s.stop()
})
