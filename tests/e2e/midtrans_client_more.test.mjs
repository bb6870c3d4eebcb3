// Midtrans' own client from npm, unchanged: cards by token and 3DS, the Snap page, outlets, paylater and the
// rest of the ways to pay, against the simulator.
import { test, before } from 'node:test'
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { Server, root } from './server.mjs'

const require = createRequire(import.meta.url)
const { CoreApi, Snap } = require('midtrans-client')
const ApiConfig = require('midtrans-client/lib/apiConfig')

let s, core, snap, next = 1
before(async () => {
  s = await Server.start({ dir: root('scripts/sandbox/midtrans.lua', 'scripts/lib', 'scripts/jobs/simulator.lua') })
  ApiConfig.CORE_SANDBOX_BASE_URL = `${s.base}/sandbox/midtrans`
  ApiConfig.SNAP_SANDBOX_BASE_URL = `${s.base}/sandbox/midtrans/snap/v1`
  const keys = { isProduction: false, serverKey: 'SB-Mid-server-demo', clientKey: 'SB-Mid-client-demo' }
  core = new CoreApi(keys)
  snap = new Snap(keys)
})

const control = async (body, status = 200) => {
  const r = await s.post('/sandbox/midtrans/_control', body)
  assert.equal(r.status, status, r.body)
  return r.json()
}
const order = () => `more-${next++}`
const charge = (payment_type, more = {}, order_id = order()) => core.charge({ payment_type, transaction_details: { order_id, gross_amount: 44000 }, ...more })
const code = promise => promise.then(t => t.status_code, e => String(e.httpStatusCode))
const status = id => core.transaction.status(id).then(t => t.transaction_status)
const token = (card_number, more = {}) => core.cardToken({ client_key: 'SB-Mid-client-demo', card_number, card_exp_month: '12', card_exp_year: '2030', card_cvv: '123', ...more }).then(t => t.token_id)
const card = async (number, more = {}) => charge('credit_card', { credit_card: { token_id: await token(number), ...more } })

test('CIMB and Danamon: numbers; Danamon is known by its own id only', async () => {
  const cimb = await charge('bank_transfer', { bank_transfer: { bank: 'cimb' } })
  assert.match(cimb.va_numbers[0].va_number, /^81093\d{13}$/)
  const danamon = await charge('bank_transfer', { bank_transfer: { bank: 'danamon' } })
  assert.match(danamon.va_numbers[0].va_number, /^8922\d{12}$/)
  assert.equal(await code(core.transaction.status(danamon.order_id)), '404')
  assert.equal((await core.transaction.status(danamon.transaction_id)).order_id, danamon.order_id)
  assert.equal((await core.transaction.cancel(danamon.transaction_id)).transaction_status, 'cancel')
})

test('outlets: a code; Indomaret without fraud_status', async () => {
  for (const store of ['alfamart', 'indomaret']) {
    const t = await charge('cstore', { cstore: { store, message: 'Thanks' } })
    assert.equal(t.status_message, 'Success, cstore transaction is successful')
    assert.equal(t.store, store)
    assert.match(t.payment_code, /^\d{16}$/)
    assert.equal(t.fraud_status, store === 'indomaret' ? undefined : 'accept')
    const told = JSON.parse((await control({ pay: t.payment_code })).callbacks[0].body)
    assert.equal(told.payment_code, t.payment_code)
    assert.equal(told.approval_code !== undefined, store === 'indomaret')
    assert.equal(await code(core.transaction.refund(t.order_id, {})), '412')
  }
  assert.equal(await code(charge('cstore', { cstore: { store: 'warung' } })), '400')
})

test('ShopeePay, Akulaku, Kredivo, CIMB Clicks: where the payer is sent', async () => {
  const shopee = await charge('shopeepay', { shopeepay: { callback_url: 'https://shop.example/back' } })
  assert.equal(shopee.actions[0].name, 'deeplink-redirect')
  assert.match(await (await fetch(shopee.actions[0].url)).text(), /data-back="https:\/\/shop\.example\/back"/)
  assert.equal(await code(charge('shopeepay', {})), '400')
  await control({ pay: shopee.order_id })
  assert.equal(await code(core.transaction.refund(shopee.order_id, { refund_key: 'a', amount: 1000 })), '414', 'the whole only')
  assert.equal((await core.transaction.refund(shopee.order_id, { refund_key: 'b', amount: 44000 })).transaction_status, 'refund')

  const akulaku = await charge('akulaku')
  assert.equal(akulaku.status_message, 'Success, Akulaku transaction is created')
  assert.equal((await fetch(akulaku.redirect_url)).status, 200)
  const items = [{ id: 'a', price: 44000, quantity: 1, name: 'A thing' }]
  const buyer = { first_name: 'Budi', email: 'budi@example.com', phone: '0812', shipping_address: { address: 'Jalan 1' } }
  assert.equal(await code(charge('kredivo', { item_details: items })), '400')
  const kredivo = await charge('kredivo', { item_details: items, customer_details: buyer })
  assert.equal(kredivo.channel_response_code, 'OK')
  await control({ pay: kredivo.order_id })
  assert.equal((await core.transaction.refund(kredivo.order_id, { amount: 4000 })).transaction_status, 'partial_refund')
  const clicks = await charge('cimb_clicks', { cimb_clicks: { description: 'A thing' } })
  assert.equal((await fetch(clicks.redirect_url)).status, 200)
  assert.equal(Date.parse(clicks.expiry_time) - Date.parse(clicks.transaction_time), 7200000)
})

test('a card: a token that serves once, 3DS, what the bank says to each test card', async () => {
  const id = await token('4811111111111114')
  assert.match(id, /^48111111-1114-/)
  const t = await charge('credit_card', { credit_card: { token_id: id, authentication: true } })
  assert.equal(`${t.status_code} ${t.transaction_status}`, '201 pending')
  assert.match(t.redirect_url, /\/v2\/token\/rba\/redirect\//)
  assert.equal(t.masked_card, '48111111-1114')
  assert.equal((await fetch(t.redirect_url)).status, 200)
  assert.equal(await code(charge('credit_card', { credit_card: { token_id: id } })), '411')
  const told = JSON.parse((await control({ pay: t.order_id })).callbacks[0].body)
  assert.equal(`${told.transaction_status} ${told.fraud_status} ${told.status_code}`, 'capture accept 200')
  assert.equal(await code(core.transaction.refund(t.order_id, {})), '412', 'not settled yet')

  for (const [number, fraud, response] of [['4911111111111113', 'accept', '05'], ['4611111111111116', 'deny', undefined], ['4472429869996670', 'accept', '51']]) {
    const no = await card(number, { authentication: false })
    assert.equal(`${no.status_code} ${no.transaction_status} ${no.fraud_status}`, `202 deny ${fraud}`, number)
    assert.equal(no.channel_response_code, response, number)
  }
  assert.equal((await card('4811111111111114', { authentication: false })).transaction_status, 'capture')
  await assert.rejects(token('4811111111111115'), /Luhn|invalid/i)
  await assert.rejects(core.cardToken({ client_key: 'x', card_number: '4811111111111114' }), /authorized/)
  assert.equal((await core.cardRegister({ client_key: 'SB-Mid-client-demo', card_number: '4811111111111114', card_exp_month: '12', card_exp_year: '2030' })).status_code, '200')
  assert.doesNotMatch(s.raw, /4811111111111114/)
})

test('a card: reserved, captured, cancelled until it settles at the end of the day', async () => {
  const reserved = await card('5211111111111117', { authentication: false, type: 'authorize' })
  assert.equal(reserved.transaction_status, 'authorize')
  const captured = await core.capture({ transaction_id: reserved.transaction_id, gross_amount: 40000 })
  assert.equal(captured.transaction_status, 'capture')
  assert.equal(captured.gross_amount, '40000.00')
  assert.equal(await code(core.capture({ transaction_id: reserved.transaction_id })), '412')
  const cancelled = await card('5211111111111117', { authentication: false })
  assert.equal((await core.transaction.cancel(cancelled.order_id)).transaction_status, 'cancel')
  await s.post('/sandbox/_clock', { advance: '24h' })
  assert.equal(await status(reserved.order_id), 'settlement')
  assert.equal(await status(cancelled.order_id), 'cancel')
  assert.equal((await core.transaction.refund(reserved.order_id, { amount: 1000 })).transaction_status, 'partial_refund')
})

test('Snap: a page, nothing known before a way was picked, denied and paid under one order', async () => {
  const order_id = order()
  const want = { transaction_details: { order_id, gross_amount: 44000 }, enabled_payments: ['credit_card'], credit_card: { secure: true }, callbacks: { finish: 'https://shop.example/done' } }
  const made = await snap.createTransaction(want)
  assert.match(made.token, /^[0-9a-f-]{36}$/)
  assert.ok(made.redirect_url.endsWith(`/snap/v3/redirection/${made.token}`))
  assert.match(await (await fetch(made.redirect_url)).text(), /data-back="https:\/\/shop\.example\/done"/)
  assert.equal(await code(core.transaction.status(order_id)), '404')
  await s.post('/sandbox/midtrans/snap/decline', { order_id })
  assert.equal(await status(order_id), 'deny')
  await control({ pay: order_id })
  assert.equal(await status(order_id), 'capture')
  await assert.rejects(snap.createTransaction(want), /taken/)
  assert.match(await snap.createTransactionToken({ transaction_details: { order_id: order(), gross_amount: 1000 } }), /^[0-9a-f-]{36}$/)
  assert.match(await snap.createTransactionRedirectUrl({ transaction_details: { order_id: order(), gross_amount: 1000 } }), /^http/)
  await assert.rejects(snap.createTransaction({ transaction_details: { order_id: order() } }), /gross_amount/)
  await assert.rejects(new Snap({ isProduction: false, serverKey: 'x', clientKey: 'x' }).createTransaction(want), /unauthorized/)

  const closed = order()
  const page = await snap.createTransaction({ transaction_details: { order_id: closed, gross_amount: 1000 } })
  const cancel = () => s.post(`/sandbox/midtrans/snap/v1/transactions/${page.token}/cancel`, '', { headers: { authorization: 'Basic ' + Buffer.from('SB-Mid-server-demo:').toString('base64') } })
  assert.match((await cancel()).json().canceled_at, /Z$/)
  assert.deepEqual((await cancel()).json().error_messages, ['token already canceled'])
  await control({ pay: closed }, 400)
})
