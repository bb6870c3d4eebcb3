// A shop on midtrans-client, unchanged, against our own door: Core API, Snap, and the architecture document's
// create-payment. Whoever carries the payment, the shape is Midtrans'.
import { before, test } from 'node:test'
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Door, KEY, basic, refused, shipped, signature } from './midtrans_door.mjs'

let d
before(async () => { d = await Door.start() })

const WIB = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/
const at = text => Date.parse(text.replace(' ', 'T') + '+07:00')

// The provider's own end may be counted from when it heard of it.
const lasts = (text, t, seconds) => {
  const off = at(text) - at(t.transaction_time) - seconds * 1000
  assert.ok(off > -2000 && off < 20000, `${text} is not ${seconds} s after ${t.transaction_time}`)
}

function common (t, type, order_id) {
  assert.equal(t.status_code, '201')
  assert.equal(t.transaction_status, 'pending')
  assert.equal(t.payment_type, type)
  assert.equal(t.gross_amount, '44000.00')
  assert.equal(t.currency, 'IDR')
  assert.match(t.transaction_id, /^pay_/)
  assert.match(t.merchant_id, /^mer_/)
  assert.match(t.transaction_time, WIB)
  assert.match(t.expiry_time, WIB)
  assert.ok(t.status_message)
  if (order_id) assert.equal(t.order_id, order_id)
  // WIB: seven hours ahead of UTC
  assert.ok(Math.abs(at(t.transaction_time) - Date.now()) < 60000)
}

test('each way to pay has its own fields', async () => {
  for (const bank of ['bca', 'bni', 'bri', 'cimb', 'danamon']) {
    const id = d.order(), t = await d.va(bank, id)
    common(t, 'bank_transfer', id)
    assert.equal(t.status_message, 'Success, Bank Transfer transaction is created')
    assert.equal(t.fraud_status, 'accept')
    assert.deepEqual(t.va_numbers.map(v => v.bank), [bank])
    assert.match(t.va_numbers[0].va_number, /^\d{8,20}$/)
    lasts(t.expiry_time, t, 86400)
    assert.equal(t.va_numbers[0].va_number, (await d.payments(id))[0].instructions.va_number)
  }
  for (const permata of [await d.va('permata'), await d.charge('permata')]) {
    common(permata, 'bank_transfer')
    assert.equal(permata.status_message, 'Success, PERMATA VA transaction is successful')
    assert.match(permata.permata_va_number, /^\d+$/)
    assert.equal(permata.va_numbers, undefined)
  }
  const bill = await d.charge('echannel', { echannel: { bill_info1: 'Payment:', bill_info2: 'Inv 1' } })
  common(bill, 'echannel')
  assert.match(bill.biller_code, /^\d+$/)
  assert.match(bill.bill_key, /^\d+$/)

  const qris = await d.charge('qris', { qris: { acquirer: 'gopay' } })
  common(qris, 'qris')
  assert.match(qris.qr_string, /^000201/)
  assert.deepEqual(qris.actions.map(a => a.name), ['generate-qr-code', 'generate-qr-code-v2'])
  const picture = await fetch(qris.actions[0].url)
  assert.equal(picture.headers.get('content-type'), 'image/png')
  assert.equal(Buffer.from(await picture.arrayBuffer()).subarray(1, 4).toString(), 'PNG')

  for (const [type, more] of [['gopay', { gopay: { enable_callback: true, callback_url: 'https://shop.example/back' } }],
    ['shopeepay', { shopeepay: { callback_url: 'https://shop.example/back' } }], ['dana', {}]]) {
    const t = await d.charge(type, more)
    common(t, type)
    const link = t.actions.find(a => a.name === 'deeplink-redirect')
    assert.equal(link.method, 'GET')
    assert.match(link.url, /:\/\//)
    if (type !== 'gopay') continue
    assert.match(await (await fetch(link.url)).text(), new RegExp(`data-back="https://shop.example/back\\?order_id=${t.order_id}"`))
    assert.deepEqual(t.actions.map(a => [a.name, a.method]), [['generate-qr-code', 'GET'], ['deeplink-redirect', 'GET'], ['get-status', 'GET'], ['cancel', 'POST']])
    const code = await fetch(t.actions[0].url)
    assert.equal(code.headers.get('content-type'), 'image/png')
    assert.deepEqual((await d.core.transaction.status(t.order_id)).actions, t.actions) // a question has them, too
  }
  for (const store of ['alfamart', 'indomaret']) {
    const t = await d.charge('cstore', { cstore: { store, message: 'Thanks' } })
    common(t, 'cstore')
    assert.equal(t.store, store)
    assert.match(t.payment_code, /^\w+$/)
    assert.equal(t.fraud_status, store === 'indomaret' ? undefined : 'accept')
  }
  const who = { first_name: 'Budi', last_name: 'Utomo', email: 'budi@shop.example', phone: '081234567890', shipping_address: { first_name: 'Budi', address: 'Jl. Melati 1', city: 'Bandung', postal_code: '40111', phone: '081234567890', country_code: 'IDN' } }
  const item_details = [{ id: 'a1', price: 24000, quantity: 2, name: 'Kopi' }, { id: 'd', price: -4000, quantity: 1, name: 'Diskon' }]
  for (const [type, more] of [['akulaku', {}], ['kredivo', {}], ['cimb_clicks', { cimb_clicks: { description: 'Kopi' } }], ['credit_card', {}], ['credit_card', { credit_card: { token_id: '521111-1117-0aa2-4f3b', authentication: true } }]]) {
    const t = await d.charge(type, { customer_details: who, item_details, ...more })
    common(t, type)
    assert.match(t.redirect_url, /^https?:\/\//)
  }
  assert.equal((await d.payments((await d.charge('akulaku', { customer_details: who })).order_id))[0].customer.name, 'Budi Utomo')
  // pushed to a phone: no answer but the status
  common(await d.charge('ovo', { customer_details: who }), 'ovo')
})

test('status: by both ids, signed with the key that asks; 404 otherwise, and for others', async () => {
  const t = await d.va('bca')
  for (const id of [t.order_id, t.transaction_id]) {
    const seen = await d.core.transaction.status(id)
    assert.equal(seen.status_code, '201')
    assert.equal(seen.transaction_id, t.transaction_id)
    assert.deepEqual(seen.va_numbers, t.va_numbers)
    assert.equal(seen.status_message, 'Success, transaction is found')
    assert.equal(seen.signature_key, signature(seen))
  }
  await refused(404, d.core.transaction.status('nobody'))
  for (const id of [t.order_id, t.transaction_id]) await refused(404, d.client('sk_test_limited').core.transaction.status(id))
  await refused(401, d.client('SB-Mid-server-demo').core.transaction.status(t.order_id))
  await refused(401, d.client('sk_test_nobody').core.charge({}))
})

test('paid: settlement; what is paid cannot be cancelled or charged again', async () => {
  for (const t of [await d.va('bni'), await d.charge('qris'), await d.charge('gopay'), await d.charge('cstore', { cstore: { store: 'alfamart' } }), await d.charge('credit_card')]) {
    await d.pay(t.order_id)
    const seen = await d.core.transaction.status(t.transaction_id)
    assert.deepEqual([seen.transaction_status, seen.status_code, seen.fraud_status], ['settlement', '200', 'accept'])
    assert.match(seen.settlement_time, WIB)
    await refused(412, d.core.transaction.cancel(t.order_id))
    await refused(412, d.core.transaction.expire(t.order_id))
    const again = await refused(406, d.charge(t.payment_type, t.payment_type === 'cstore' ? { cstore: { store: 'alfamart' } } : { bank_transfer: { bank: 'bni' } }, t.order_id))
    assert.match(again.status_message, /has been paid/)
  }
})

test('cancel and expire: from pending only; the order id is free again', async () => {
  const t = await d.va('bri')
  await refused(406, d.va('bri', t.order_id))
  const cancelled = await d.core.transaction.cancel(t.order_id)
  assert.deepEqual([cancelled.status_code, cancelled.transaction_status], ['200', 'cancel'])
  await refused(412, d.core.transaction.cancel(t.order_id))
  assert.equal((await d.core.transaction.status(t.order_id)).transaction_status, 'cancel')

  const second = await d.va('bca', t.order_id)
  const expired = await d.core.transaction.expire(second.transaction_id)
  assert.deepEqual([expired.status_code, expired.transaction_status], ['407', 'expire'])
  const seen = await d.core.transaction.status(t.order_id)
  assert.deepEqual([seen.status_code, seen.transaction_status, seen.transaction_id], ['407', 'expire', second.transaction_id])
  assert.equal((await d.core.transaction.status(t.transaction_id)).transaction_status, 'cancel', 'the older one by its own id')

  const third = await d.va('bca', t.order_id)
  await d.pay(t.order_id)
  assert.equal((await d.core.transaction.status(t.order_id)).transaction_id, third.transaction_id)
  for (const name of ['approve', 'deny']) await refused(412, d.core.transaction[name](t.order_id))
  for (const name of ['approve', 'deny', 'cancel', 'expire']) await refused(404, d.core.transaction[name]('nobody'))
})

test('refunds: of a part, of the rest, by key; none where the way has none', async () => {
  for (const call of ['refund', 'refundDirect']) {
    const t = await d.charge('gopay')
    await refused(412, d.core.transaction[call](t.order_id, { amount: 1000 }))
    await d.pay(t.order_id)
    const part = await d.core.transaction[call](t.order_id, { refund_key: 'r-1', amount: 4000, reason: 'too hot' })
    assert.deepEqual([part.status_code, part.transaction_status, part.refund_key, part.refund_amount], ['200', 'partial_refund', 'r-1', '4000.00'])
    assert.match(part.status_message, call === 'refund' ? /^Success, refund request is approved$/ : /by the bank$/)
    await refused(406, d.core.transaction[call](t.order_id, { refund_key: 'r-1', amount: 4000, reason: 'too hot' }))
    await refused(406, d.core.transaction[call](t.order_id, { refund_key: 'r-1', amount: 5000 }))
    const [other] = ['refund', 'refundDirect'].filter(c => c !== call) // a key is the payment's, whatever name and path is used
    await refused(406, d.core.transaction[other](t.order_id, { refund_key: 'r-1', amount: 4000, reason: 'too hot' }))
    await refused(406, d.core.transaction[call](t.transaction_id, { refund_key: 'r-1', amount: 4000, reason: 'too hot' }))
    await refused(414, d.core.transaction[call](t.order_id, { amount: 40001 }))
    await refused(414, d.core.transaction[call](t.order_id, { amount: 0 }))
    await refused(400, d.core.transaction[call](t.order_id, { refund_key: 'no spaces' }))
    const rest = await d.core.transaction[call](t.order_id)
    assert.deepEqual([rest.transaction_status, rest.refund_amount], ['refund', '44000.00'])
    const seen = await d.core.transaction.status(t.order_id)
    assert.equal(seen.status_code, '200')
    assert.deepEqual(seen.refunds.map(r => [r.refund_key, r.refund_amount, r.reason]), [['r-1', '4000.00', 'too hot'], [rest.refund_key, '40000.00', undefined]])
  }
  const va = await d.va('bca')
  await d.pay(va.order_id)
  await refused(412, d.core.transaction.refund(va.order_id, {}))
  await refused(404, d.core.transaction.refund('nobody', {}))
  await refused(404, d.core.capture({ transaction_id: 'nobody', gross_amount: 1 }))
  await refused(412, d.core.capture({ transaction_id: va.transaction_id, gross_amount: 44000 }))
})

test('what is not offered says so', async () => {
  const card = { credit_card: { type: 'authorize', token_id: 'x' } }
  for (const ask of [() => d.core.linkPaymentAccount({}), () => d.core.getPaymentAccount('x'), () => d.core.unlinkPaymentAccount('x'),
    () => d.core.cardPointInquiry('x'), () => d.core.cardToken({ client_key: 'x' }), () => d.core.cardRegister({}),
    () => d.core.transaction.statusb2b('x'), () => d.charge('bri_epay'), () => d.charge('credit_card', card)]) await refused(402, ask())
})

test('a card number never comes in, and is refused in Midtrans\' shape', async () => {
  const card_number = '4811111111111114'
  for (const e of await Promise.all([d.core.cardToken({ client_key: 'x', card_number, card_exp_month: '12', card_exp_year: '2030', card_cvv: '123' }),
    d.charge('credit_card', { credit_card: { card_number } }), d.snap.createTransaction({ transaction_details: { order_id: 'x', gross_amount: 1 }, credit_card: { card_number } })]
    .map(p => p.then(() => assert.fail('let in'), e => e)))) {
    assert.equal(Number(e.httpStatusCode), 400, e.message)
    const text = JSON.stringify(e.ApiResponse)
    assert.match(text, /card number/)
    assert.ok(e.ApiResponse.status_code === '400' || e.ApiResponse.error_messages, text)
    assert.ok(!text.includes(card_number))
  }
  // an order id may look like one
  common(await d.va('bca', card_number), 'bank_transfer', card_number)
  assert.equal((await d.core.transaction.status(card_number)).order_id, card_number)
})

test('custom fields, expiry, merchant_id: what is said comes back', async () => {
  const t = await d.charge('bank_transfer', { bank_transfer: { bank: 'bca' }, custom_field1: 'a', custom_field2: 'é', custom_field3: '3', merchant_id: 'M12345', unknown: { field: [1] } })
  assert.deepEqual([t.custom_field1, t.custom_field2, t.custom_field3, t.merchant_id], ['a', 'é', '3', 'M12345'])
  assert.equal((await d.core.transaction.status(t.order_id)).custom_field2, 'é')
  for (const [custom_expiry, seconds] of [[{ expiry_duration: 60 }, 3600], [{ expiry_duration: 2, unit: 'hours' }, 7200], [{ expiry_duration: 3, unit: 'day' }, 3 * 86400],
    [{ order_time: '2016-12-07 11:54:12 +0700', expiry_duration: 90, unit: 'second' }, 90]]) {
    const t = await d.charge('bank_transfer', { bank_transfer: { bank: 'bca' }, custom_expiry })
    lasts(t.expiry_time, t, seconds)
  }
})

test('lost answers and haste: one order, one payment', async () => {
  const body = { payment_type: 'bank_transfer', transaction_details: { order_id: d.order(), gross_amount: 44000 }, bank_transfer: { bank: 'bca' } }
  const all = await Promise.allSettled(Array.from({ length: 20 }, () => d.core.charge(body)))
  assert.deepEqual([all.filter(r => r.status === 'fulfilled').length, all.filter(r => r.reason?.httpStatusCode === '406').length], [1, 19])
  const made = await d.payments(body.transaction_details.order_id)
  assert.equal(made.length, 1)
  const answer = all.find(r => r.status === 'fulfilled').value
  // whose answer was lost asks for the status: all of it is there
  const seen = await d.core.transaction.status(answer.order_id)
  for (const name of ['transaction_id', 'va_numbers', 'gross_amount', 'expiry_time']) assert.deepEqual(seen[name], answer[name], name)

  // with a key the same answer comes again
  const order_id = d.order(), keyed = { ...basic(KEY), 'Idempotency-Key': 'k-1', 'content-type': 'application/json' }
  const ask = amount => d.s.post('/v2/charge', { ...body, transaction_details: { order_id, gross_amount: amount } }, { headers: keyed })
  const first = await ask(44000), again = await ask(44000)
  assert.equal(first.json().status_code, '201')
  assert.equal(again.body, first.body)
  assert.equal((await ask(45000)).json().status_code, '406')
  assert.equal((await d.payments(order_id)).length, 1)
})

test('the provider says no, or nothing: a code of Midtrans\', or pending; the order id is free again', async () => {
  const control = next => d.s.post('/sandbox/midtrans/_control', { next })
  const id = d.order()
  await control('refused')
  const no = await refused(400, d.charge('gopay', {}, id))
  assert.equal(no.validation_messages.length, 1)
  assert.deepEqual(['failure', '202'], await d.core.transaction.status(id).then(t => [t.transaction_status, t.status_code]))
  assert.equal((await d.charge('gopay', {}, id)).status_code, '201')

  const silent = d.order()
  await control('rubbish') // it was made, and we cannot tell
  const t = await d.charge('gopay', {}, silent)
  assert.deepEqual([t.status_code, t.transaction_status], ['201', 'pending'])
  await refused(406, d.charge('gopay', {}, silent))
  assert.equal((await d.payments(silent)).length, 1)
})

test('as real clients call: slashes at the end, null bodies, bodies on GET', async () => {
  const t = await d.va('bca')
  const headers = { ...basic(KEY), 'content-type': 'application/json' }
  assert.equal((await d.s.get(`/v2/${t.order_id}/status/`, { headers, body: '{}' })).json().status_code, '201')
  assert.equal((await d.s.post(`/v2/${t.order_id}/cancel/`, 'null', { headers })).json().status_code, '200')
  const plain = await d.s.post('/v2/charge/', JSON.stringify({ payment_type: 'qris', transaction_details: { order_id: d.order(), gross_amount: 1500 } }), { headers: { ...basic(KEY), 'content-type': 'text/plain' } })
  assert.equal(plain.status, 200)
  assert.equal(plain.json().status_code, '201')
})

const ways = async url => [...(await (await fetch(url)).text()).matchAll(/name="way" value="([^"]+)"/g)].map(m => m[1]).sort()

test('Snap: a page of ours, the same one for the same order, with the ways that the shop enables', async () => {
  const order_id = d.order(), ask = { transaction_details: { order_id, gross_amount: 44000 }, enabled_payments: ['bca_va', 'qris', 'something_new'], callbacks: { finish: 'https://shop.example/done' } }
  const made = await d.snap.createTransaction(ask)
  assert.equal(made.redirect_url, `${d.s.base}/pay/${made.token}`)
  assert.equal(await d.snap.createTransactionToken(ask), made.token)
  assert.equal(await d.snap.createTransactionRedirectUrl(ask), made.redirect_url)
  assert.equal((await d.payments(order_id)).length, 1)
  await refused(404, d.core.transaction.status(order_id)) // nothing was picked
  assert.deepEqual(await ways(made.redirect_url), ['qris', 'virtual_account.bca'])
  const other = await d.s.post(`/pay/${made.token}`, 'way=ewallet.gopay', { headers: { 'content-type': 'application/x-www-form-urlencoded' } })
  assert.equal(other.status, 303)
  await refused(404, d.core.transaction.status(order_id))
  await d.s.post(`/pay/${made.token}`, 'way=virtual_account.bca', { headers: { 'content-type': 'application/x-www-form-urlencoded' } })
  const picked = await d.core.transaction.status(order_id)
  assert.deepEqual([picked.transaction_status, picked.va_numbers[0].bank], ['pending', 'bca'])
  assert.deepEqual(await ways(made.redirect_url + '/ways'), ['qris', 'virtual_account.bca']) // another way is one of them, too
  await d.pay(order_id)
  assert.equal((await d.snap.transaction.status(order_id)).transaction_status, 'settlement')
  const taken = await d.snap.createTransaction(ask).then(() => assert.fail('taken'), e => e)
  assert.deepEqual([Number(taken.httpStatusCode), taken.ApiResponse.error_messages], [400, ['transaction_details.order_id has already been taken']])
  const redirect = await fetch(`${d.s.base}/snap/v4/redirection/${made.token}`, { redirect: 'manual' })
  assert.equal(redirect.headers.get('location'), `/pay/${made.token}`)
  assert.equal((await d.s.post('/snap/v1/transactions', ask, { headers: basic('SB-Mid-server-demo') })).status, 401)
})

test('what a shop of our own API calls enabled_payments is its own affair: its page offers every way', async () => {
  const make = async metadata => {
    const r = await d.s.post('/v1/payments', { order_id: d.order(), amount: 44000, metadata }, { headers: basic(KEY) })
    assert.equal(r.status, 201, r.body)
    return ways(r.json().checkout_url)
  }
  const all = await make({})
  assert.ok(all.length > 5, all.join(' '))
  for (const enabled_payments of ['monthly plan', 'bca_va', '']) assert.deepEqual(await make({ enabled_payments }), all)
})

test('Snap: a page is cancelled while nothing was picked', async () => {
  const make = () => d.snap.createTransaction({ transaction_details: { order_id: d.order(), gross_amount: 44000 }, expiry: { unit: 'hours', duration: 2 } })
  const cancel = token => d.s.post(`/snap/v1/transactions/${token}/cancel`, undefined, { headers: basic(KEY) })
  const { token } = await make()
  const done = await cancel(token)
  assert.equal(done.status, 200)
  assert.match(done.json().canceled_at, /^\d{4}-.*Z$/)
  assert.deepEqual((await cancel(token)).json().error_messages, ['token already canceled'])
  assert.equal((await cancel('nobody')).status, 404)
  const busy = (await make()).token
  await d.s.post(`/pay/${busy}`, 'way=virtual_account.bca', { headers: { 'content-type': 'application/x-www-form-urlencoded' } })
  assert.deepEqual((await cancel(busy)).json().error_messages, ['Transaction is on progress'])
})

test('create-payment of the architecture document', async () => {
  const order_id = 'ORDER-20260102-001'
  const body = { transaction_details: { order_id, gross_amount: 150000 }, customer_details: { first_name: 'Budi', last_name: 'Santoso', email: 'budi@example.com', phone: '081234567890' },
    bank_transfer: { bank: 'bca', required: true }, expiry: { start_time: '2026-01-02T10:00:00+07:00', duration: 86400, unit: 'seconds' }, merchant_id: 'M12345' }
  const ask = (body, headers = basic(KEY)) => d.s.post('/midtrans/create-payment', body, { headers })
  const r = await ask(body), t = r.json()
  assert.equal(r.status, 201, r.body)
  assert.deepEqual({ ...t, transaction_id: 0, transaction_time: 0, expiration_time: 0, expiry_time: 0, va_numbers: 0 }, {
    status_code: '201', status_message: 'Success, Bank Transfer transaction is created', transaction_id: 0, order_id, merchant_id: 'M12345',
    gross_amount: '150000.00', currency: 'IDR', payment_type: 'bank_transfer', payment_method_type: 'bank_transfer', transaction_time: 0,
    transaction_status: 'pending', fraud_status: 'accept', va_numbers: 0, payment_amounts: [], expiration_time: 0, expiry_time: 0 })
  assert.equal(t.va_numbers[0].bank, 'bca')
  lasts(t.expiration_time, t, 86400) // a start that has been counts as now
  const again = await ask(body)
  assert.deepEqual([again.status, again.json()], [201, t], 'the order id protects a body without a key')
  const other = await ask({ ...body, transaction_details: { order_id, gross_amount: 160000 } })
  assert.deepEqual([other.status, other.json().status_code], [406, '406'])
  const ahead = await ask({ ...body, transaction_details: { order_id: d.order(), gross_amount: 150000 }, expiry: { start_time: new Date(Date.now() + 3600000).toISOString(), duration: 60, unit: 'minute' } })
  assert.ok(Math.abs(at(ahead.json().expiration_time) - Date.now() - 7200000) < 60000)
  const haste = { ...body, transaction_details: { order_id: d.order(), gross_amount: 150000 } }
  const all = await Promise.all(Array.from({ length: 20 }, () => ask(haste)))
  assert.deepEqual(new Set(all.map(r => r.status)), new Set([201]))
  assert.equal(new Set(all.map(r => r.json().transaction_id)).size, 1)
  assert.equal((await d.payments(haste.transaction_details.order_id)).length, 1)
  assert.equal((await ask(body, {})).status, 401)
  await d.s.stop()
})

test('create-payment: what is denied is a payment all the same, and what cannot be read is the request\'s fault', async () => {
  const dir = shipped()
  writeFileSync(join(dir, 'rules/risk/never.lua'), 'return { api = 1, kind = "risk", judge = function(p) if p.amount == 66666 then return deny "never" end return allow end }')
  const own = await Door.start({ dir })
  const ask = body => own.s.post('/midtrans/create-payment', body, { headers: { ...basic(KEY), 'content-type': 'application/json' } })
  const denied = await ask({ transaction_details: { order_id: own.order(), gross_amount: 66666 }, bank_transfer: { bank: 'bca' } })
  assert.deepEqual([denied.status, denied.json().status_code, denied.json().transaction_status], [201, '202', 'deny'])
  const broken = await ask('{"transaction_details":')
  assert.deepEqual([broken.status, broken.json().status_code, broken.json().transaction_id], [400, '413', undefined])
  await own.s.stop()
})

test('another provider takes over: the shape stays, and what nobody can make has Midtrans\' code', async () => {
  const dir = shipped()
  writeFileSync(join(dir, 'scripts/sandbox/midtrans.lua'), `return { api = 1, provider = "midtrans", routes = {
    ["POST /v2/charge"] = function() return reply(200, { status_code = "505", status_message = "The system failed to create the VA number", id = crypto.uuid() }) end,
    ["GET /v2/:id/status"] = function() return reply(200, { status_code = "404", status_message = "Transaction doesn't exist." }) end } }`)
  const down = await Door.start({ dir })
  const va = await down.va('bca')
  common(va, 'bank_transfer')
  assert.equal((await down.payments(va.order_id))[0].channel, 'xendit_bca_va')
  assert.deepEqual(va.va_numbers.map(v => v.bank), ['bca'])
  const permata = await down.va('permata')
  assert.match(permata.permata_va_number, /^\d+$/)
  // Xendit's Mandiri has a number and no bill
  const mandiri = await down.charge('echannel', { echannel: { bill_info1: 'a', bill_info2: 'b' } })
  common(mandiri, 'bank_transfer')
  assert.deepEqual(mandiri.va_numbers.map(v => v.bank), ['mandiri'])
  await down.pay(va.order_id)
  assert.equal((await down.core.transaction.status(va.order_id)).transaction_status, 'settlement')
  await refused(503, down.charge('gopay'))
  await down.s.stop()
})
