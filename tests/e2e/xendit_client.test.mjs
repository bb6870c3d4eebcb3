// xendit-node 7 from npm, unchanged, against the simulator: payment requests, payment methods, refunds,
// invoices, customers, balance. What our channels call is here, and what a shop would call besides.
import { test, before } from 'node:test'
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { KEY, start } from './xendit.mjs'

const require = createRequire(import.meta.url)
console.warn = () => {} // the client warns of every test key
const { Xendit } = require('xendit-node-7')

let x, client
before(async () => {
  x = await start()
  client = new Xendit({ secretKey: KEY, xenditURL: x.url })
})

const refused = async (status, code, promise) => {
  const e = await promise.then(() => assert.fail('not refused'), e => e)
  assert.equal(e.name, 'XenditSdkError', String(e))
  assert.equal(e.status, status, e.errorMessage)
  assert.equal(e.errorCode, code)
  return e
}
const make = (paymentMethod, more = {}, idempotencyKey) => client.PaymentRequest.createPaymentRequest({
  idempotencyKey, data: { country: 'ID', currency: 'IDR', amount: 15000, referenceId: x.order(), paymentMethod: { reusability: 'ONE_TIME_USE', ...paymentMethod }, ...more } })
const va = (channelCode, more, key) => make({ type: 'VIRTUAL_ACCOUNT', virtualAccount: { channelCode, channelProperties: { customerName: 'Ahmad Gunawan' } } }, more, key)
const wallet = (channelCode, channelProperties, more) => make({ type: 'EWALLET', ewallet: { channelCode, channelProperties } }, more)
const dana = more => wallet('DANA', { successReturnUrl: 'https://shop.example/back' }, more)
const qris = more => make({ type: 'QR_CODE', qrCode: { channelCode: 'QRIS' } }, more)
const outlet = (channelCode, more) => make({ type: 'OVER_THE_COUNTER', overTheCounter: { channelCode, channelProperties: { customerName: 'Ahmad' } } }, more)

test('each way to pay has its own fields', async () => {
  assert.equal(require('xendit-node-7/package.json').version, '7.0.0')
  for (const [bank, digits] of [['BCA', 16], ['BNI', 16], ['BRI', 16], ['MANDIRI', 16], ['PERMATA', 16], ['CIMB', 16]]) {
    const t = await va(bank)
    assert.match(t.id, /^pr-[0-9a-f-]{36}$/)
    assert.equal(t.status, 'PENDING')
    assert.equal(t.amount, 15000)
    assert.equal(t.paymentMethod.status, 'ACTIVE')
    assert.equal(t.paymentMethod.virtualAccount.channelCode, bank)
    assert.match(t.paymentMethod.virtualAccount.channelProperties.virtualAccountNumber, new RegExp(`^\\d{${digits}}$`))
    assert.ok(t.paymentMethod.virtualAccount.channelProperties.expiresAt instanceof Date)
  }
  const redirect = await dana()
  assert.equal(redirect.status, 'REQUIRES_ACTION')
  assert.deepEqual(redirect.actions.map(a => [a.action, a.urlType, a.method]), [['AUTH', 'MOBILE', 'GET'], ['AUTH', 'WEB', 'GET']])
  assert.match(await (await fetch(redirect.actions[1].url)).text(), /data-back="https:\/\/shop\.example\/back"/)
  const shopee = await wallet('SHOPEEPAY', { successReturnUrl: 'https://shop.example/back' })
  assert.deepEqual(shopee.actions.map(a => a.urlType), ['DEEPLINK', 'MOBILE'])
  assert.ok(shopee.actions[1].qrCode)
  await wallet('LINKAJA', { successReturnUrl: 'https://shop.example/back' })
  const push = await wallet('OVO', { mobileNumber: '+628123123123' })
  assert.equal(push.status, 'PENDING')
  assert.deepEqual(push.actions, [])
  assert.equal((await wallet('JENIUSPAY', { cashtag: '$budi' })).status, 'PENDING')
  const q = await qris()
  assert.match(q.paymentMethod.qrCode.channelProperties.qrString, /^00020101021226.*5303360540515000.*6304[0-9A-F]{4}$/)
  for (const name of ['ALFAMART', 'INDOMARET']) {
    assert.match((await outlet(name)).paymentMethod.overTheCounter.channelProperties.paymentCode, /^(ALFA|INDO)\d{8}$/)
  }
})

test('the code is one that a scanner reads', async () => {
  const q = await qris()
  const page = `${x.url}/pay/${q.id}`
  assert.match(await (await fetch(page)).text(), /<button/)
  const text = q.paymentMethod.qrCode.channelProperties.qrString
  const crc = s => [...Buffer.from(s)].reduce((c, b) => { c ^= b << 8; for (let i = 0; i < 8; i++) c = (c & 0x8000 ? c << 1 ^ 0x1021 : c << 1) & 0xffff; return c }, 0xffff)
  assert.equal(text.slice(-4), crc(text.slice(0, -4)).toString(16).toUpperCase().padStart(4, '0'))
})

test('found by its id and by our reference', async () => {
  const t = await va('BCA', { metadata: { payment: 'p' } })
  assert.deepEqual(await client.PaymentRequest.getPaymentRequestByID({ paymentRequestId: t.id }), t)
  const twin = await va('BCA', { referenceId: t.referenceId })
  const list = await client.PaymentRequest.getAllPaymentRequests({ referenceId: [t.referenceId] })
  assert.deepEqual(list.data.map(d => d.id), [t.id, twin.id], 'a reference need not be unique')
  assert.equal(list.hasMore, false)
  assert.deepEqual((await client.PaymentRequest.getAllPaymentRequests({ referenceId: ['nobody'] })).data, [])
  assert.ok((await client.PaymentRequest.getAllPaymentRequests({ limit: 10 })).data.length > 1)
  await refused(404, 'DATA_NOT_FOUND', client.PaymentRequest.getPaymentRequestByID({ paymentRequestId: 'pr-nobody' }))
})

test('paid: by a person, or simulated; the payment is listed', async () => {
  for (const t of [await va('BCA'), await dana(), await qris(), await outlet('ALFAMART'), await wallet('OVO', { mobileNumber: '+628123123123' })]) {
    const paid = await x.control({ pay: t.referenceId })
    assert.equal(paid.amount, 15000)
    const told = JSON.parse(paid.callbacks[0].body)
    assert.equal(told.event, 'payment.succeeded')
    assert.equal(told.data.payment_request_id, t.id)
    assert.equal(told.data.reference_id, t.referenceId)
    assert.equal(told.data.status, 'SUCCEEDED')
    assert.equal(told.data.id, paid.payment_id)
    const seen = await client.PaymentRequest.getPaymentRequestByID({ paymentRequestId: t.id })
    assert.equal(seen.status, 'SUCCEEDED')
    const list = await client.PaymentMethod.getPaymentsByPaymentMethodId({ paymentMethodId: t.paymentMethod.id })
    assert.deepEqual(list.data.map(p => [p.id, p.amount, p.status, p.payment_request_id]), [[paid.payment_id, 15000, 'SUCCEEDED', t.id]])
    await x.control({ pay: t.referenceId }, 409)
  }
  const t = await va('BNI')
  assert.equal((await client.PaymentRequest.simulatePaymentRequestPayment({ paymentRequestId: t.id })).status, 'PENDING')
  assert.equal((await client.PaymentRequest.getPaymentRequestByID({ paymentRequestId: t.id })).status, 'SUCCEEDED')
  await refused(400, 'INACTIVE_PAYMENT_REQUEST', client.PaymentRequest.simulatePaymentRequestPayment({ paymentRequestId: t.id }))
  const second = await va('BRI')
  await refused(400, 'API_VALIDATION_ERROR', client.PaymentMethod.simulatePayment({ paymentMethodId: second.paymentMethod.id, data: { amount: 14999 } }))
  await client.PaymentMethod.simulatePayment({ paymentMethodId: second.paymentMethod.id, data: { amount: 15000 } })
  assert.equal((await client.PaymentRequest.getPaymentRequestByID({ paymentRequestId: second.id })).status, 'SUCCEEDED')
})

test('a method is expired, and nobody pays it any more', async () => {
  for (const t of [await va('BCA'), await qris(), await outlet('INDOMARET')]) {
    const gone = await client.PaymentMethod.expirePaymentMethod({ paymentMethodId: t.paymentMethod.id })
    assert.equal(gone.status, 'EXPIRED')
    assert.equal((await client.PaymentRequest.getPaymentRequestByID({ paymentRequestId: t.id })).status, 'EXPIRED')
    await x.control({ pay: t.referenceId }, 409)
    await refused(400, 'INELIGIBLE_TRANSACTION_STATUS', client.PaymentMethod.expirePaymentMethod({ paymentMethodId: t.paymentMethod.id }))
  }
  const paid = await va('BCA')
  await x.control({ pay: paid.id })
  await refused(400, 'INELIGIBLE_TRANSACTION_STATUS', client.PaymentMethod.expirePaymentMethod({ paymentMethodId: paid.paymentMethod.id }))
  await refused(404, 'DATA_NOT_FOUND', client.PaymentMethod.expirePaymentMethod({ paymentMethodId: 'pm-nobody' }))
  await refused(400, 'INELIGIBLE_TRANSACTION_STATUS', client.PaymentMethod.authPaymentMethod({ paymentMethodId: paid.paymentMethod.id, data: { authCode: '1' } }))
  await refused(400, 'INELIGIBLE_TRANSACTION_STATUS', client.PaymentRequest.capturePaymentRequest({ paymentRequestId: paid.id, data: { captureAmount: 1 } }))
  await refused(400, 'INELIGIBLE_TRANSACTION_STATUS', client.PaymentRequest.authorizePaymentRequest({ paymentRequestId: paid.id, data: { authCode: '1' } }))
  await refused(400, 'INELIGIBLE_TRANSACTION_STATUS', client.PaymentRequest.resendPaymentRequestAuth({ paymentRequestId: paid.id }))
  assert.deepEqual((await client.PaymentRequest.getPaymentRequestCaptures({ paymentRequestId: paid.id })).data, [])
})

test('each ends by the clock in its own time', async () => {
  const status = async t => (await client.PaymentRequest.getPaymentRequestByID({ paymentRequestId: t.id }))
  const ovo = await wallet('OVO', { mobileNumber: '+628123123123' })
  const link = await wallet('LINKAJA', { successReturnUrl: 'https://shop.example/' })
  const code = await qris()
  const own = await make({ type: 'VIRTUAL_ACCOUNT', virtualAccount: { channelCode: 'BCA', channelProperties: { customerName: 'A', expiresAt: new Date(Date.now() + 3600e3) } } })
  await x.clock('54s')
  assert.equal((await status(ovo)).status, 'PENDING')
  await x.clock('1s')
  assert.deepEqual([(await status(ovo)).status, (await status(ovo)).failureCode], ['FAILED', 'USER_DID_NOT_AUTHORIZE'])
  await x.clock('30m')
  assert.equal((await status(link)).status, 'FAILED')
  await x.clock('31m')
  assert.equal((await status(own)).status, 'EXPIRED')
  await x.clock('47h')
  assert.equal((await status(code)).status, 'EXPIRED')
})

test('the same idempotency key: one payment request', async () => {
  const data = { currency: 'IDR', amount: 15000, referenceId: x.order(), paymentMethod: { type: 'QR_CODE', reusability: 'ONE_TIME_USE', qrCode: { channelCode: 'QRIS' } } }
  const make = (idempotencyKey, more = {}) => client.PaymentRequest.createPaymentRequest({ idempotencyKey, data: { ...data, ...more } })
  const first = await make('k-1')
  assert.deepEqual(await make('k-1'), first)
  await refused(409, 'IDEMPOTENCY_ERROR', make('k-1', { amount: 15001 }))
  assert.notEqual((await make('k-2')).id, first.id)
  await x.control({ next: 'server_error' })
  await refused(500, 'SERVER_ERROR', make('k-3'))
  await make('k-3')
  const all = await Promise.all(Array.from({ length: 16 }, () => make('k-4').then(t => t.id, e => e.errorCode)))
  assert.equal(new Set(all.filter(id => id.startsWith('pr-'))).size, 1, 'on both workers')
  assert.ok(all.every(id => id.startsWith('pr-') || id === 'IDEMPOTENCY_ERROR'))
  await x.clock('25h')
  assert.notEqual((await make('k-1')).id, first.id, 'a day is its life')
})

test('refunds: in parts, not beyond, in their windows, whole where only that is offered', async () => {
  const refund = (t, more = {}, idempotencyKey) => client.Refund.createRefund({ idempotencyKey, data: { paymentRequestId: t.id, referenceId: x.order(), currency: 'IDR', reason: 'OTHERS', ...more } })
  const t = await dana()
  await refused(400, 'INELIGIBLE_TRANSACTION_STATUS', refund(t, { amount: 1000 }))
  await x.control({ pay: t.id })
  const part = await refund(t, { amount: 10000, referenceId: 'r-1' }, 'rk-1')
  assert.match(part.id, /^rfd-/)
  assert.equal(part.amount, 10000)
  assert.deepEqual(await refund(t, { amount: 10000, referenceId: 'r-1' }, 'rk-1'), part)
  await refused(400, 'REFUND_AMOUNT_EXCEEDED', refund(t, { amount: 5001 }))
  await refused(400, 'API_VALIDATION_ERROR', refund(t, { amount: 0 }))
  await refused(400, 'API_VALIDATION_ERROR', refund(t, { reason: 'WHIM' }))
  const rest = await refund(t)
  assert.equal(rest.amount, 5000)
  assert.equal((await client.Refund.cancelRefund({ refundID: rest.id })).id, rest.id)
  await x.clock('2s')
  await refused(400, 'INELIGIBLE_TRANSACTION_STATUS', client.Refund.cancelRefund({ refundID: part.id }))
  assert.equal((await client.Refund.getRefund({ refundID: part.id })).referenceId, 'r-1')
  const list = await client.Refund.getAllRefunds({ paymentRequestId: t.id })
  assert.deepEqual(list.data.map(r => r.id), [part.id, rest.id])
  await refused(404, 'DATA_NOT_FOUND', client.Refund.getRefund({ refundID: 'rfd-nobody' }))
  await refused(404, 'DATA_NOT_FOUND', refund({ id: 'pr-nobody' }))

  const link = await wallet('LINKAJA', { successReturnUrl: 'https://shop.example/' })
  await x.control({ pay: link.id })
  await refused(400, 'PARTIAL_REFUND_NOT_SUPPORTED', refund(link, { amount: 1000 }))
  await refund(link, { amount: 15000 })
  for (const never of [await va('BCA'), await outlet('ALFAMART'), await wallet('OVO', { mobileNumber: '+628123123123' })]) {
    await x.control({ pay: never.id })
    await refused(400, 'REFUND_NOT_SUPPORTED', refund(never, { amount: 1000 }))
  }
  const old = await qris()
  await x.control({ pay: old.id })
  await x.clock('169h')
  await refused(400, 'INELIGIBLE_TRANSACTION_STATUS', refund(old, { amount: 1000 }))
})

test('two refunds at once do not give more than was paid', async () => {
  const t = await dana()
  await x.control({ pay: t.id })
  const all = await Promise.all(Array.from({ length: 12 }, () => client.Refund.createRefund({ data: { paymentRequestId: t.id, currency: 'IDR', reason: 'OTHERS', amount: 4000 } })
    .then(() => 'done', e => e.errorCode)))
  assert.equal(all.filter(a => a === 'done').length, 3)
  assert.equal(all.filter(a => a === 'REFUND_AMOUNT_EXCEEDED').length, 9)
})

test('invoices: made, found, paid, expired, refunded', async () => {
  const externalId = x.order()
  const make = data => client.Invoice.createInvoice({ data: { externalId, amount: 20000, ...data } })
  const t = await make({ paymentMethods: ['CREDIT_CARD'], invoiceDuration: 3600, successRedirectUrl: 'https://shop.example/ok', metadata: { payment: 'p' }, payerEmail: 'a@b.co' })
  assert.match(t.id, /^[0-9a-f]{24}$/)
  assert.equal(t.status, 'PENDING')
  assert.equal(t.shouldExcludeCreditCard, false)
  assert.deepEqual(t.availableBanks, [])
  assert.equal(t.expiryDate - t.created, 3600e3)
  assert.deepEqual(t.metadata, { payment: 'p' })
  assert.match(await (await fetch(t.invoiceUrl)).text(), /data-back="https:\/\/shop\.example\/ok"/)
  const later = await make({ paymentMethods: ['KREDIVO'] })
  assert.deepEqual(later.availablePaylaters.map(p => p.paylaterType), ['KREDIVO'])
  assert.deepEqual((await client.Invoice.getInvoices({ externalId })).map(i => i.id), [t.id, later.id])
  assert.equal((await client.Invoice.getInvoiceById({ invoiceId: t.id })).externalId, externalId)

  const paid = await x.control({ pay: t.id })
  const told = JSON.parse(paid.callbacks[0].body)
  assert.deepEqual([told.id, told.external_id, told.status, told.paid_amount, told.payment_method], [t.id, externalId, 'PAID', 20000, 'CREDIT_CARD'])
  assert.equal(told.event, undefined)
  assert.equal((await client.Invoice.getInvoiceById({ invoiceId: t.id })).status, 'PAID')
  const back = await client.Refund.createRefund({ data: { invoiceId: t.id, referenceId: 'inv-r', currency: 'IDR', amount: 20000, reason: 'CANCELLATION' } })
  assert.deepEqual((await client.Refund.getAllRefunds({ invoiceId: t.id })).data.map(r => r.id), [back.id])

  assert.equal((await client.Invoice.expireInvoice({ invoiceId: later.id })).status, 'EXPIRED')
  await refused(400, 'INVALID_STATE', client.Invoice.expireInvoice({ invoiceId: later.id }))
  await x.control({ pay: later.id }, 409)
  await refused(404, 'INVOICE_NOT_FOUND_ERROR', client.Invoice.getInvoiceById({ invoiceId: 'f'.repeat(24) }))
  await refused(400, 'API_VALIDATION_ERROR', make({ amount: 1.5 }))
  await refused(400, 'API_VALIDATION_ERROR', make({ invoiceDuration: -1 }))
  const open = await client.Invoice.createInvoice({ data: { externalId: x.order(), amount: 20000 } })
  assert.ok(open.availableBanks.length > 0 && open.availableEwallets.length > 0)
  await x.clock('24h')
  assert.equal((await client.Invoice.getInvoiceById({ invoiceId: open.id })).status, 'EXPIRED')
})

test('a reusable method takes many payments', async () => {
  const pm = await client.PaymentMethod.createPaymentMethod({ data: { type: 'VIRTUAL_ACCOUNT', reusability: 'MULTIPLE_USE', referenceId: x.order(),
    virtualAccount: { channelCode: 'BCA', channelProperties: { customerName: 'Toko' } } } })
  assert.match(pm.id, /^pm-/)
  assert.equal(pm.status, 'ACTIVE')
  for (const amount of [10000, 25000]) await client.PaymentMethod.simulatePayment({ paymentMethodId: pm.id, data: { amount } })
  const list = await client.PaymentMethod.getPaymentsByPaymentMethodId({ paymentMethodId: pm.id })
  assert.deepEqual(list.data.map(p => p.amount), [10000, 25000])
  assert.equal(new Set(list.data.map(p => p.id)).size, 2)
  assert.equal((await client.PaymentMethod.getPaymentMethodByID({ paymentMethodId: pm.id })).status, 'ACTIVE')
  assert.equal((await client.PaymentMethod.patchPaymentMethod({ paymentMethodId: pm.id, data: { description: 'new' } })).description, 'new')
  assert.deepEqual((await client.PaymentMethod.getAllPaymentMethods({ referenceId: pm.referenceId })).data.map(m => m.id), [pm.id])
  assert.equal((await client.PaymentMethod.expirePaymentMethod({ paymentMethodId: pm.id })).status, 'EXPIRED')
})

test('customers and balance', async () => {
  const referenceId = x.order()
  const made = await client.Customer.createCustomer({ data: { referenceId, type: 'INDIVIDUAL', individualDetail: { givenNames: 'John' }, email: 'j@d.co' } })
  assert.match(made.id, /^cust-/)
  assert.equal((await client.Customer.getCustomer({ id: made.id })).individualDetail.givenNames, 'John')
  assert.deepEqual((await client.Customer.getCustomerByReferenceID({ referenceId })).data.map(c => c.id), [made.id])
  assert.equal((await client.Customer.updateCustomer({ id: made.id, data: { description: 'vip' } })).description, 'vip')
  await refused(409, 'DUPLICATE_ERROR', client.Customer.createCustomer({ data: { referenceId, type: 'INDIVIDUAL', individualDetail: { givenNames: 'John' } } }))
  assert.ok((await client.Balance.getBalance()).balance > 0)
})

test('what is wrong with a request is said', async () => {
  const bad = promise => refused(400, 'API_VALIDATION_ERROR', promise)
  await bad(va('BCA', { amount: 1.5 }))
  await bad(va('BCA', { amount: 9999 }))
  await bad(va('BCA', { amount: 50000001 }))
  await bad(va('GOLD'))
  await bad(va('BCA', { currency: 'PHP' }))
  await bad(va('BCA', { referenceId: 'x'.repeat(256) }))
  await bad(make({ type: 'VIRTUAL_ACCOUNT', virtualAccount: { channelCode: 'BCA', channelProperties: { customerName: 'B4di' } } }))
  await bad(make({ type: 'VIRTUAL_ACCOUNT', virtualAccount: { channelCode: 'BCA', channelProperties: { customerName: 'Budi', expiresAt: new Date(0) } } }))
  await bad(wallet('OVO', { mobileNumber: '0812' }))
  await bad(wallet('OVO', {}))
  await bad(wallet('JENIUSPAY', { cashtag: 'budi' }))
  await bad(wallet('DANA', {}))
  await bad(wallet('LINKAJA', { successReturnUrl: 'https://a.co/' }, { amount: 10000001 }))
  await bad(outlet('ALFAMART', { amount: 5000001 }))
  await bad(make({ type: 'CARD' }))
  await refused(401, 'INVALID_API_KEY', new Xendit({ secretKey: 'xnd_development_other', xenditURL: x.url }).Balance.getBalance())
  assert.equal((await x.raw('/payment_requests', '{"amount":')).json().error_code, 'INVALID_JSON_FORMAT')
})

test('it misbehaves when told', async () => {
  await x.control({ next: 'refused' })
  await refused(403, 'CHANNEL_NOT_ACTIVATED', va('BCA'))
  await x.control({ next: 'server_error', match: { order_id: 'just-this' } })
  await va('BCA')
  await refused(500, 'SERVER_ERROR', va('BCA', { referenceId: 'just-this' }))
  await x.control({ next: 'maintenance' })
  await refused(503, 'CHANNEL_UNAVAILABLE', va('BCA'))
  await refused(503, 'CHANNEL_UNAVAILABLE', client.Balance.getBalance())
  await x.control({ next: 'reset' })
  await x.control({ next: 'rubbish' })
  const referenceId = x.order()
  await assert.rejects(va('BCA', { referenceId }))
  assert.equal((await client.PaymentRequest.getAllPaymentRequests({ referenceId: [referenceId] })).data.length, 1, 'it was made all the same')
  for (const [word, amount] of [['short', 14000], ['over', 16000]]) {
    const t = await va('BCA')
    await x.control({ next: word })
    assert.equal((await x.control({ pay: t.id })).amount, amount)
    assert.equal((await client.PaymentMethod.getPaymentsByPaymentMethodId({ paymentMethodId: t.paymentMethod.id })).data[0].amount, amount)
  }
  const back = await dana()
  await x.control({ next: 'deny_after_settlement' })
  const both = await x.control({ pay: back.id })
  assert.deepEqual(both.callbacks.map(c => JSON.parse(c.body).data.status), ['SUCCEEDED', 'VOIDED'])
  assert.equal((await client.PaymentRequest.getPaymentRequestByID({ paymentRequestId: back.id })).status, 'VOIDED')
  const settled = await dana()
  await x.control({ pay: settled.id })
  assert.ok((await x.control({ next: 'deny_after_settlement', match: { order_id: settled.referenceId } })).taken_back)
  const late = await dana()
  await x.control({ next: 'late' })
  assert.ok((await x.control({ pay: late.id })).pays_at)
  await x.clock('26h')
  assert.equal((await client.PaymentRequest.getPaymentRequestByID({ paymentRequestId: late.id })).status, 'SUCCEEDED')
  for (const [amount, status, code] of [[10100, 403, 'CHANNEL_NOT_ACTIVATED'], [10101, 503, 'CHANNEL_UNAVAILABLE'], [10102, 500, 'SERVER_ERROR']]) {
    await refused(status, code, dana({ amount }))
    await refused(status, code, qris({ amount }))
  }
  for (const [amount, code] of [[20103, 'ACCOUNT_ACCESS_BLOCKED'], [20104, 'INVALID_MERCHANT_CREDENTIALS'], [20105, 'USER_DECLINED_PAYMENT'], [20106, 'INVALID_ACCOUNT_DETAILS']]) {
    const t = await dana({ amount })
    assert.equal(JSON.parse((await x.control({ pay: t.id })).callbacks[0].body).event, 'payment.failed')
    assert.equal((await client.PaymentRequest.getPaymentRequestByID({ paymentRequestId: t.id })).failureCode, code)
  }
})

test('its books outlive a crash, and so does what it owes to be heard', async () => {
  const t = await dana()
  await x.control({ next: 'reorder' })
  await x.control({ pay: t.id })
  await x.s.kill()
  x = await start(x.s.data)
  client = new Xendit({ secretKey: KEY, xenditURL: x.url })
  const seen = await client.PaymentRequest.getPaymentRequestByID({ paymentRequestId: t.id })
  assert.equal(seen.status, 'SUCCEEDED')
  assert.equal((await x.control({ next: 'reset' })).released, 1, 'what was held back')
  await x.s.stop()
})
