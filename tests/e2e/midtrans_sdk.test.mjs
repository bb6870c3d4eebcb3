// Midtrans' own client from npm, unchanged, against the simulator: only its base URL is set. What it
// signs and what is signed is checked with the openssl command line.
import { test, before } from 'node:test'
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { runInNewContext } from 'node:vm'
import { temporary } from './luwak.mjs'
import { Server, root } from './server.mjs'

const require = createRequire(import.meta.url)
const { CoreApi, MidtransError } = require('midtrans-client')
const ApiConfig = require('midtrans-client/lib/apiConfig')

const KEY = 'SB-Mid-server-demo'
const sha512 = text => execFileSync('openssl', ['dgst', '-sha512', '-r'], { input: text, encoding: 'utf8' }).split(' ')[0]
const signatureOf = n => sha512(n.order_id + n.status_code + n.gross_amount + KEY)

// Hears notifications and answers them with the status in the path.
const HEAR = `return { api = 1, routes = { ["POST /hear/:status"] = { auth = "none", run = function(req)
  log.info("heard", { status = req.params.status, body = req.body, agent = req.headers["user-agent"], ms = time.now() })
  if req.params.status == "299" then engine.sleep "1s" end
  return tonumber(req.params.status), "", req.params.status == "301" and { Location = "/elsewhere" } or nil
end } } }`

let s, core, next = 1
before(async () => {
  const dir = root('scripts/sandbox/midtrans.lua', 'scripts/lib', 'scripts/jobs/simulator.lua')
  writeFileSync(join(dir, 'scripts/api/hear.lua'), HEAR)
  s = await Server.start({ dir, args: ['--workers', '2'] })
  ApiConfig.CORE_SANDBOX_BASE_URL = `${s.base}/sandbox/midtrans`
  core = new CoreApi({ isProduction: false, serverKey: KEY, clientKey: 'SB-Mid-client-demo' })
})

const control = async (body, status = 200) => {
  const r = await s.post('/sandbox/midtrans/_control', body)
  assert.equal(r.status, status, r.body)
  return r.json()
}
const clock = advance => s.post('/sandbox/_clock', { advance })
const order = () => `sdk-${next++}`
const charge = (payment_type, more = {}, order_id = order(), gross_amount = 44000) =>
  core.charge({ payment_type, transaction_details: { order_id, gross_amount }, ...more })
const va = (bank, order_id) => charge('bank_transfer', { bank_transfer: { bank } }, order_id)
// the code that the client rejects with, and the body it shows
const refused = async (code, promise) => {
  const e = await promise.then(() => assert.fail('not refused'), e => e)
  assert.ok(e instanceof MidtransError, String(e))
  assert.equal(Number(e.httpStatusCode), code, e.message)
  assert.equal(e.ApiResponse.status_code, String(code))
  assert.match(e.ApiResponse.id, /^[0-9a-f-]{36}$/)
  return e.ApiResponse
}

test('each way to pay has its own fields', async () => {
  const common = (t, type) => {
    assert.equal(t.status_code, '201')
    assert.equal(t.transaction_status, 'pending')
    assert.equal(t.payment_type, type)
    assert.equal(t.gross_amount, '44000.00')
    assert.equal(t.currency, 'IDR')
    assert.equal(t.fraud_status, 'accept')
    assert.match(t.transaction_id, /^[0-9a-f]{8}-[0-9a-f]{4}-/)
    assert.match(t.transaction_time, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/)
  }
  for (const [bank, digits] of [['bca', 16], ['bni', 16], ['bri', 18]]) {
    const t = await va(bank)
    common(t, 'bank_transfer')
    assert.equal(t.status_message, 'Success, Bank Transfer transaction is created')
    assert.deepEqual(t.va_numbers.map(v => v.bank), [bank])
    assert.match(t.va_numbers[0].va_number, new RegExp(`^\\d{${digits}}$`))
    assert.equal(Date.parse(t.expiry_time + 'Z') - Date.parse(t.transaction_time + 'Z'), 86400000)
    // WIB: seven hours ahead of UTC
    assert.ok(Math.abs(Date.parse(t.transaction_time.replace(' ', 'T') + '+07:00') - Date.now()) < 60000)
  }
  const permata = await va('permata')
  common(permata, 'bank_transfer')
  assert.match(permata.permata_va_number, /^\d{16}$/)
  assert.equal(permata.va_numbers, undefined)
  common(await charge('permata'), 'bank_transfer')

  const bill = await charge('echannel', { echannel: { bill_info1: 'Payment:', bill_info2: 'Inv 1' } })
  common(bill, 'echannel')
  assert.equal(bill.biller_code, '70012')
  assert.match(bill.bill_key, /^\d{12}$/)

  const qris = await charge('qris', { qris: { acquirer: 'gopay' } })
  common(qris, 'qris')
  assert.equal(qris.acquirer, 'gopay')
  assert.match(qris.qr_string, /^00020101021226.*5303360540544000.*6304[0-9A-F]{4}$/)
  assert.deepEqual(qris.actions.map(a => a.name), ['generate-qr-code', 'generate-qr-code-v2'])
  for (const { url } of qris.actions) { // what a person's phone would see
    const file = join(temporary(), 'qr.png')
    writeFileSync(file, Buffer.from(await (await fetch(url)).arrayBuffer()))
    assert.equal(execFileSync('zbarimg', ['--nodbus', '-q', '--raw', file], { encoding: 'utf8' }), qris.qr_string + '\n')
  }

  const gopay = await charge('gopay', { gopay: { enable_callback: true, callback_url: 'https://shop.example/back' } })
  common(gopay, 'gopay')
  assert.deepEqual(gopay.actions.map(a => [a.name, a.method]), [['generate-qr-code', 'GET'], ['deeplink-redirect', 'GET'], ['get-status', 'GET'], ['cancel', 'POST']])
  assert.match(await (await fetch(gopay.actions[1].url)).text(), /data-back="https:\/\/shop\.example\/back"/)
})

test('status: found by both ids, signed, and 404 otherwise', async () => {
  const t = await va('bca')
  for (const id of [t.order_id, t.transaction_id]) {
    const seen = await core.transaction.status(id)
    assert.equal(seen.status_code, '201')
    assert.equal(seen.transaction_id, t.transaction_id)
    assert.equal(seen.status_message, 'Success, transaction is found')
    assert.equal(seen.signature_key, signatureOf(seen))
  }
  await refused(404, core.transaction.status('nobody'))
})

test('paid: the notification is signed, and the client finds it settled', async () => {
  for (const made of [await va('bca'), await charge('echannel', { echannel: { bill_info1: 'a', bill_info2: 'b' } }), await charge('qris'), await charge('gopay')]) {
    const paid = await control({ pay: made.order_id })
    assert.equal(paid.amount, 44000)
    assert.equal(paid.callbacks.length, 1)
    const told = JSON.parse(paid.callbacks[0].body)
    assert.equal(told.transaction_status, 'settlement')
    assert.equal(told.status_code, '200')
    assert.equal(told.status_message, 'midtrans payment notification')
    assert.equal(told.signature_key, signatureOf(told))
    const seen = await core.transaction.notification(told)
    assert.equal(seen.transaction_status, 'settlement')
    assert.equal(seen.status_code, '200')
    assert.equal(seen.settlement_time, told.settlement_time)
    const again = await s.post('/sandbox/midtrans/_control', { pay: made.order_id })
    assert.equal(again.status, 409)
  }
})

test('the published signature', () => {
  assert.equal(sha512('ORDER-10120044000.00SB-Mid-server-example'),
    '385b5236cecc0ed28a469e23be0e74872bb2528e1690c22ba2a43eebf62c1e1f0c40719b2384b0684fb858e47019859aaac2b85f2eba7dc63ea05ebf3dcd86bb')
})

test('cancel and expire: from pending only; the order id is free again', async () => {
  const t = await va('bni')
  await refused(406, va('bni', t.order_id))
  const cancelled = await core.transaction.cancel(t.order_id)
  assert.equal(cancelled.status_code, '200')
  assert.equal(cancelled.transaction_status, 'cancel')
  await refused(412, core.transaction.cancel(t.order_id))
  await refused(412, core.transaction.expire(t.order_id))
  assert.equal((await s.post('/sandbox/midtrans/_control', { pay: t.order_id })).status, 409)

  const second = await va('bri', t.order_id)
  const expired = await core.transaction.expire(second.transaction_id)
  assert.equal(expired.status_code, '407')
  assert.equal(expired.transaction_status, 'expire')
  assert.equal((await core.transaction.status(t.order_id)).status_code, '407')
  assert.equal((await core.transaction.status(t.transaction_id)).transaction_status, 'cancel', 'the older one by its own id')

  const third = await va('bri', t.order_id)
  await control({ pay: third.order_id })
  await refused(412, core.transaction.cancel(third.order_id))
  assert.match((await refused(406, va('bri', t.order_id))).status_message, /paid and utilized/)
  await refused(412, core.transaction.deny(third.order_id))
  await refused(412, core.transaction.approve(third.order_id))
  await refused(404, core.transaction.cancel('nobody'))
})

test('it expires by the clock', async () => {
  const t = await charge('qris', { custom_expiry: { expiry_duration: 30, unit: 'minute' } })
  await clock('29m')
  assert.equal((await core.transaction.status(t.order_id)).transaction_status, 'pending')
  await clock('1m')
  const seen = await core.transaction.status(t.order_id)
  assert.equal(seen.transaction_status, 'expire')
  assert.equal(seen.status_code, '407')
  assert.equal((await s.post('/sandbox/midtrans/_control', { pay: t.order_id })).status, 409)
})

test('refund: in parts, not beyond, not twice by one key, not for a virtual account', async () => {
  const t = await charge('gopay')
  await refused(412, core.transaction.refund(t.order_id, { amount: 1000 }))
  await control({ pay: t.order_id })
  const part = await core.transaction.refund(t.order_id, { refund_key: 'k1', amount: 10000, reason: 'one of four' })
  assert.equal(part.status_code, '200')
  assert.equal(part.transaction_status, 'partial_refund')
  assert.equal(part.refund_amount, '10000.00')
  assert.equal(part.refund_key, 'k1')
  await refused(406, core.transaction.refund(t.order_id, { refund_key: 'k1', amount: 10000 }))
  await refused(414, core.transaction.refund(t.order_id, { amount: 34001 }))
  await refused(414, core.transaction.refund(t.order_id, { amount: 0 }))
  await refused(400, core.transaction.refund(t.order_id, { refund_key: 'no blanks' }))
  const rest = await core.transaction.refundDirect(t.order_id, { refund_key: 'k2' })
  assert.equal(rest.transaction_status, 'refund')
  assert.equal(rest.refund_amount, '44000.00')
  await refused(412, core.transaction.refund(t.order_id, {}))
  const seen = await core.transaction.status(t.order_id)
  assert.deepEqual(seen.refunds.map(r => [r.refund_key, r.refund_amount, r.bank_confirmed_at]), [['k1', '10000.00', undefined], ['k2', '34000.00', undefined]])
  await clock('2m')
  assert.match((await core.transaction.status(t.order_id)).refunds[1].bank_confirmed_at, /^\d{4}-/)

  const account = await va('bca')
  await control({ pay: account.order_id })
  await refused(412, core.transaction.refund(account.order_id, {}))

  const old = await charge('qris')
  await control({ pay: old.order_id })
  await clock('1081h')
  await refused(414, core.transaction.refund(old.order_id, {}))
})

test('what is wrong with a request is said', async () => {
  const bad = async (body, words) => {
    const answer = await refused(400, core.charge(body))
    assert.match(answer.validation_messages.join('; '), words)
  }
  const d = { order_id: order(), gross_amount: 1000 }
  const bank_transfer = { bank: 'bca' }
  const t = 'bank_transfer'
  await bad({ transaction_details: d }, /payment_type is required/)
  await bad({ payment_type: t, transaction_details: d }, /bank_transfer.bank/)
  await bad({ payment_type: t, bank_transfer, transaction_details: { gross_amount: 1 } }, /order_id is required/)
  await bad({ payment_type: t, bank_transfer, transaction_details: { ...d, order_id: 'x'.repeat(51) } }, /50/)
  for (const order_id of ['a b', 'a/b', 'a+b', 'ä']) await bad({ payment_type: t, bank_transfer, transaction_details: { ...d, order_id } }, /letters, digits/)
  for (const gross_amount of [0, -1, 1.5, '1000', null]) await bad({ payment_type: t, bank_transfer, transaction_details: { ...d, gross_amount } }, /gross_amount/)
  await bad({ payment_type: t, bank_transfer, transaction_details: d, item_details: [{ id: 'a', price: 400, quantity: 2, name: 'a' }] }, /not equal to the sum/)
  await bad({ payment_type: t, bank_transfer, transaction_details: d, custom_expiry: { expiry_duration: 181, unit: 'day' } }, /out of range/)
  await bad({ payment_type: t, bank_transfer, transaction_details: d, custom_expiry: { expiry_duration: 1, unit: 'week' } }, /custom_expiry/)
  await bad({ payment_type: 'echannel', transaction_details: d, echannel: { bill_info1: 'longer than ten', bill_info2: 'b' } }, /bill_info1/)
  await refused(402, core.charge({ payment_type: 'seashells', transaction_details: d }))
  const from = await core.charge({ payment_type: t, bank_transfer, transaction_details: { ...d, order_id: order() }, custom_expiry: { order_time: '2036-12-07 11:54:12 +0700', expiry_duration: 90 } })
  assert.equal(from.expiry_time, '2036-12-07 13:24:12')
  await bad({ payment_type: t, bank_transfer, transaction_details: d, custom_expiry: { order_time: 'noon', expiry_duration: 90 } }, /order_time/)
  const good = { order_id: 'A-z_0~9.' + order(), gross_amount: 1000 }
  await core.charge({ payment_type: t, bank_transfer, transaction_details: good, item_details: [{ price: 600, quantity: 2 }, { price: -200, quantity: 1 }] })

  const wrong = new CoreApi({ isProduction: false, serverKey: 'SB-Mid-server-other', clientKey: '' })
  const e = await refused(401, wrong.transaction.status('x'))
  assert.match(e.status_message, /cannot be authorized/)
  await refused(401, wrong.charge({ payment_type: t, bank_transfer, transaction_details: d }))
  const raw = await s.post('/sandbox/midtrans/v2/charge', '{"payment_type":', { headers: { authorization: 'Basic ' + Buffer.from(KEY + ':').toString('base64') } })
  assert.equal(raw.status, 200)
  assert.equal(raw.json().status_code, '413')
})

test('a virtual account number of one\'s own', async () => {
  const own = async number => (await charge('bank_transfer', { bank_transfer: { bank: 'bca', va_number: number } })).va_numbers[0].va_number
  assert.equal(await own('12345678901'), '8127812345678901')
  assert.notEqual(await own('12345678901'), '8127812345678901', 'in use: another, silently')
  assert.equal(await own('77'), '8127800000000077')
  assert.equal(await own('555555555556666'), '8127855555555555')
})

test('Idempotency-Key: the stored answer, for five minutes', async () => {
  const ask = (key, order_id) => s.post('/sandbox/midtrans/v2/charge',
    { payment_type: 'gopay', transaction_details: { order_id, gross_amount: 1000 } },
    { headers: { authorization: 'Basic ' + Buffer.from(KEY + ':').toString('base64'), 'idempotency-key': key } })
  const id = order()
  const first = (await ask('key-1', id)).json()
  assert.equal(first.status_code, '201')
  assert.deepEqual((await ask('key-1', order())).json(), first, 'even when the body differs')
  assert.equal((await ask('key-2', id)).json().status_code, '406')
  assert.equal((await ask('key-2', order())).json().status_code, '201', 'a failure is not kept')
  assert.equal((await ask('k'.repeat(47), id)).json().status_code, '406', 'too long: ignored')
  await clock('5m')
  assert.equal((await ask('key-1', id)).json().status_code, '406')
})

test('it misbehaves when told', async () => {
  const gopay = (order_id = order()) => charge('gopay', {}, order_id)
  await control({ next: 'refused' })
  let id = order()
  await refused(402, gopay(id))
  await refused(404, core.transaction.status(id))
  await control({ next: 'server_error', match: { order_id: id } })
  assert.equal((await gopay()).status_code, '201', 'another order')
  await refused(500, gopay(id))
  await refused(404, core.transaction.status(id))
  await control({ next: 'rubbish' })
  assert.match(await gopay(id), /^<html>/)
  assert.equal((await core.transaction.status(id)).transaction_status, 'pending')
  await control({ next: 'maintenance' })
  for (let i = 0; i < 3; i++) await refused(503, core.transaction.status(id))
  await control({ next: 'reset' })

  // no answer: the caller gives up
  core.httpClient.http_client.defaults.timeout = 300
  for (const [word, exists] of [['timeout_before_debit', false], ['timeout_after_debit', true]]) {
    id = order()
    await control({ next: word })
    await assert.rejects(gopay(id), /HTTP response not found/)
    if (exists) assert.equal((await core.transaction.status(id)).transaction_status, 'pending')
    else await refused(404, core.transaction.status(id))
  }
  core.httpClient.http_client.defaults.timeout = 20000
  await control({ next: 'slow' })
  let answered = false
  const slow = gopay().then(t => { answered = true; return t })
  await new Promise(resolve => setTimeout(resolve, 400))
  assert.equal(answered, false)
  await clock('10s')
  assert.equal((await slow).status_code, '201')

  for (const [word, amount] of [['short', 43000], ['over', 45000]]) {
    const t = await va('bca')
    await control({ next: word, match: { order_id: t.order_id } })
    const paid = await control({ pay: t.order_id })
    assert.equal(paid.amount, amount)
    const told = JSON.parse(paid.callbacks[0].body)
    assert.equal(told.gross_amount, `${amount}.00`)
    assert.equal(told.signature_key, signatureOf(told))
    assert.equal((await core.transaction.status(t.order_id)).gross_amount, `${amount}.00`)
  }
  const t = await va('bca')
  assert.equal((await control({ pay: t.va_numbers[0].va_number, amount: 5 })).amount, 5)

  const late = await va('bca')
  await control({ next: 'late' })
  assert.ok((await control({ pay: late.order_id })).pays_at)
  await clock('24h')
  assert.equal((await core.transaction.status(late.order_id)).transaction_status, 'expire')
  await clock('1h')
  assert.equal((await core.transaction.status(late.order_id)).transaction_status, 'settlement')

  const back = await va('permata')
  await control({ next: 'deny_after_settlement' })
  const both = await control({ pay: back.order_id })
  assert.deepEqual(both.callbacks.map(c => JSON.parse(c.body).transaction_status), ['settlement', 'deny'])
  assert.equal((await core.transaction.status(back.order_id)).status_code, '202')
  const settled = await va('permata')
  await control({ pay: settled.order_id })
  assert.ok((await control({ next: 'deny_after_settlement', match: { order_id: settled.order_id } })).taken_back)
  assert.equal((await core.transaction.status(settled.order_id)).transaction_status, 'deny')
})

test('notifications go again as our answer says', async () => {
  const tell = async (header, urls, id = order()) => {
    await s.post('/sandbox/midtrans/v2/charge', { payment_type: 'gopay', transaction_details: { order_id: id, gross_amount: 1000 } },
      { headers: { authorization: 'Basic ' + Buffer.from(KEY + ':').toString('base64'), [header]: urls } })
    return id
  }
  const heard = (id, status) => s.events('heard').filter(l => l.status === String(status) && JSON.parse(l.body).order_id === id)
  const hear = status => `http://luwak.simulated/hear/${status}`
  for (const [status, times] of [[200, 1], [301, 1], [500, 2], [400, 3], [404, 3], [503, 5], [409, 6]]) {
    const id = await tell('x-override-notification', hear(status))
    await control({ pay: id })
    assert.equal(heard(id, status).length, 1)
    for (let i = 0; i < 15; i++) await clock('30m')
    const all = heard(id, status)
    assert.equal(all.length, times, `answered ${status}`)
    assert.ok(all.every(l => l.agent === 'Veritrans' && l.body === all[0].body))
    const minutes = all.slice(1).map((l, i) => (l.ms - all[i].ms) / 60000)
    for (const [i, wait] of [2, 10, 30, 90, 210].entries()) {
      if (i < minutes.length) assert.ok(minutes[i] <= wait + 0.1 && minutes[i] >= wait * 0.9 - 0.1, `${minutes}`)
    }
  }
  let id = await tell('x-append-notification', [200, 201].map(hear).join(','))
  assert.equal((await control({ pay: id })).callbacks.length, 3, 'besides the merchant\'s own')
  assert.equal(heard(id, 201).length, 1)

  id = await tell('x-override-notification', hear(200))
  await control({ next: 'duplicate' })
  await control({ pay: id })
  assert.equal(heard(id, 200).length, 2)

  const held = await tell('x-override-notification', hear(200))
  id = await tell('x-override-notification', hear(200))
  await control({ next: 'reorder' })
  await control({ pay: held })
  assert.equal(heard(held, 200).length, 0)
  await control({ pay: id })
  assert.equal(heard(held, 200).length, 1)
  assert.ok(s.log.indexOf(heard(id, 200)[0]) < s.log.indexOf(heard(held, 200)[0]))

  id = await tell('x-override-notification', hear(401))
  await control({ next: 'wrong_signature' })
  await control({ pay: id })
  const right = l => { const n = JSON.parse(l.body); return n.signature_key === signatureOf(n) }
  assert.deepEqual(heard(id, 401).map(right), [false])
  await clock('2m')
  assert.deepEqual(heard(id, 401).map(right), [false, true])

  for (const [close, code] of [['cancel', '202'], ['expire', '202']]) {
    id = await tell('x-override-notification', hear(200))
    await core.transaction[close](id)
    await clock('1s')
    const told = JSON.parse(heard(id, 200)[0].body)
    assert.equal(told.transaction_status, close)
    assert.equal(told.status_code, code, 'though status says otherwise')
    assert.equal(told.signature_key, signatureOf(told))
  }
})

test('two workers, one set of books', async () => {
  const all = (n, f) => Promise.all(Array.from({ length: n }, (_, i) => f(i)))
  const body = order_id => ({ payment_type: 'gopay', transaction_details: { order_id, gross_amount: 1000 } })
  const ask = order_id => s.post('/sandbox/midtrans/v2/charge', body(order_id), { headers: { authorization: 'Basic ' + Buffer.from(KEY + ':').toString('base64') } })
  const id = order()
  const codes = (await all(32, () => ask(id))).map(r => r.json().status_code)
  assert.deepEqual([codes.filter(c => c === '201').length, codes.filter(c => c === '406').length], [1, 31])

  const paid = await all(16, () => s.post('/sandbox/midtrans/_control', { pay: id }))
  assert.deepEqual([paid.filter(r => r.status === 200).length, paid.filter(r => r.status === 409).length], [1, 15])

  await control({ next: 'refused', count: 5 })
  const refusals = (await all(24, () => ask(order()))).filter(r => r.json().status_code === '402')
  assert.equal(refusals.length, 5, 'each order is used once')

  const keys = (await all(16, i => s.post('/sandbox/midtrans/v2/' + id + '/refund', { refund_key: 'k' + i, amount: 400 }, { headers: { authorization: 'Basic ' + Buffer.from(KEY + ':').toString('base64') } }))).map(r => r.json().status_code)
  assert.equal(keys.filter(c => c === '200').length, 2, 'not more than was paid')
  assert.equal((await core.transaction.status(id)).refund_amount, '800.00')

  const numbers = new Set((await all(30, () => va('bri'))).map(t => t.va_numbers[0].va_number))
  assert.equal(numbers.size, 30)
})

test('the control says what is wrong with an order', async () => {
  for (const [body, param] of [[{}, 'next'], [{ next: 'explode' }, 'next'], [{ next: 1 }, 'next'], [{ next: 'late', count: 0 }, 'count'],
    [{ next: 'late', count: 'x' }, 'count'], [{ next: 'late', count: 1.5 }, 'count'], [{ next: 'late', match: 1 }, 'match'],
    [{ next: 'late', match: { colour: 'x' } }, 'match.colour'], [{ next: 'late', match: { order_id: 5 } }, 'match.order_id'],
    [{ next: 'late', amount: 5 }, 'amount'], [{ next: 'late', pay: 'x' }, 'pay'], [{ pay: 5 }, 'pay'], [{ pay: 'x', amount: 0 }, 'amount'],
    [{ pay: 'x', amount: '5' }, 'amount'], [{ pay: 'x', count: 1 }, 'count'], [{ pay: 'nobody' }, 'pay'], [{ next: 'late', when: 'now' }, 'when'],
    [[], 'next'], ['1', undefined], ['{', undefined], ['null', undefined]]) {
    const r = await s.post('/sandbox/midtrans/_control', body)
    assert.equal(r.status, 400, JSON.stringify(body))
    assert.equal(r.json().param, param, JSON.stringify(body))
  }
})

test('the page lists what was made, newest first', async () => {
  const older = await va('bca')
  const newer = await va('bca')
  const page = (await s.get('/sandbox/midtrans/')).body
  assert.ok(page.includes(`<button value="${newer.transaction_id}"`))
  // its button, pressed in a document of our own
  const button = { value: newer.transaction_id, dataset: { back: '' } }
  const said = {}
  const reloaded = new Promise(resolve => { said.done = resolve })
  runInNewContext(/<script>([^]*)<\/script>/.exec(page)[1], {
    document: { getElementById: id => id === 'said' ? said : {}, querySelectorAll: () => [button] },
    location: { reload: () => said.done(true) },
    fetch: (path, options) => fetch(s.base + path, options),
  })
  button.onclick()
  assert.equal(await reloaded, true)
  assert.equal(JSON.parse(said.textContent).order_id, newer.order_id)
  assert.equal((await core.transaction.status(newer.order_id)).transaction_status, 'settlement')
  assert.ok(page.includes(older.order_id) && page.indexOf(newer.order_id) < page.indexOf(older.order_id))
})

test('its books and its orders outlive a crash', async () => {
  const t = await va('bca')
  await control({ next: 'refused', match: { order_id: 'after-the-crash' } })
  // killed while it is being told of money: it is told again
  await s.post('/sandbox/midtrans/v2/charge', { payment_type: 'gopay', transaction_details: { order_id: 'told', gross_amount: 1000 } },
    { headers: { authorization: 'Basic ' + Buffer.from(KEY + ':').toString('base64'), 'x-override-notification': 'http://luwak.simulated/hear/299' } })
  const dies = control({ pay: 'told' }).catch(() => {})
  await s.logged('heard', l => JSON.parse(l.body).order_id === 'told')
  await s.kill()
  await dies
  s = await Server.start({ dir: s.dir, data: s.data, args: ['--workers', '2'] })
  ApiConfig.CORE_SANDBOX_BASE_URL = `${s.base}/sandbox/midtrans`
  assert.equal((await core.transaction.status(t.order_id)).transaction_status, 'pending')
  const again = () => s.events('heard').filter(l => JSON.parse(l.body).order_id === 'told').length
  assert.equal(again(), 0)
  await clock('2m')
  assert.equal(again(), 1)
  await clock('24h')
  assert.equal(again(), 1)
  await refused(402, charge('gopay', {}, 'after-the-crash'))
  assert.equal((await charge('gopay', {}, 'after-the-crash')).status_code, '201')
  await s.stop()
})
