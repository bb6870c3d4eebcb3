// DOKU's own client from npm, unchanged, against the simulator and against our own door for DOKU: only its
// base URL is set. What is signed is checked with the openssl command line.
import { test, before } from 'node:test'
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createHash, randomUUID } from 'node:crypto'
import { createRequire } from 'node:module'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT, temporary } from './luwak.mjs'
import { Server, root } from './server.mjs'

const require = createRequire(import.meta.url)
const { Snap } = require('doku-nodejs-library')
const Config = require('doku-nodejs-library/_commons/config')
const TokenController = require('doku-nodejs-library/_controllers/tokenController')
const model = name => require(`doku-nodejs-library/_models/${name}`)
const CreateVa = model('createVaRequestDto'), UpdateVa = model('updateVaRequestDTO'), DeleteVa = model('deleteVaRequestDTO')
const CheckVa = model('checkStatusVARequestDTO'), TotalAmount = model('totalAmount'), AdditionalInfo = model('additionalInfo')
const VaConfig = model('virtualAccountConfig'), JumpApp = model('paymentJumpAppRequestDTO'), CheckDebit = model('checkStatusDirectDebitRequestDTO')
const Refund = model('refundRequestDTO'), Balance = model('balanceInquiryRequestDTO'), Bind = model('accountBindingRequestDTO')
const { AccountUnbindingRequestDto: Unbind } = model('accountUnbindingRequestDTO')
const CardBind = model('cardRegistrationRequestDTO'), CardUnbind = model('cardUnregistUnbindRequestDTO')
const { PaymentRequestDto: Payment, TotalAmountDto: Amount, PaymentAdditionalInfoRequestDto: PaymentInfo } = model('paymentRequestDirectDebitDTO')
const UpdateInfo = model('updateVaAdditionalInfoDTO'), UpdateConfig = model('updateVaVirtualAccountConfigDTO')
const VaNotice = model('paymentNotificationRequestBodyDTO')

const ID = 'BRN-demo', SECRET = 'SK-demo', IP = '192.168.100.10'
const privateKey = readFileSync(join(ROOT, 'examples/keys/demo.pem'), 'utf8')
const openssl = (args, input) => execFileSync('openssl', args, { input, stdio: ['pipe', 'pipe', 'ignore'] })
const publicKey = openssl(['pkey', '-pubout'], privateKey).toString()
const hmac = (digest, key, text) => openssl(['dgst', `-${digest}`, '-hmac', key, '-binary'], text).toString('base64')
const sha256 = (text, as) => createHash('sha256').update(text).digest(as)

// What DOKU calls, written down: the token it is given, and every header.
const HEAR = `return { api = 1, routes = {
  ["POST /authorization/v1/access-token/b2b"] = { auth = "none", run = function(req)
    log.info("asked", { client = req.headers["x-client-key"], stamp = req.headers["x-timestamp"], signature = req.headers["x-signature"] })
    return 200, json.encode { responseCode = "2007300", accessToken = "heard-token", tokenType = "Bearer", expiresIn = 900 }, { ["Content-Type"] = "application/json" }
  end },
  ["POST /v1/transfer-va/payment"] = { auth = "none", cards = true, run = function(req)
    log.info("told", { body = req.body, stamp = req.headers["x-timestamp"], signature = req.headers["x-signature"], bearer = req.headers.authorization })
    return 200, "{}"
  end },
  ["POST /hear"] = { auth = "none", cards = true, run = function(req)
    local h = req.headers
    log.info("heard", { body = req.body, id = h["request-id"], stamp = h["request-timestamp"], client = h["client-id"], signature = h.signature })
    return 200, "{}"
  end } } }`

let s, next = 1
const quiet = f => async (...args) => { // it prints secrets
  const log = console.log
  console.log = () => {}
  try { return await f(...args) } finally { console.log = log }
}
const client = () => new Snap({ isProduction: false, privateKey, clientID: ID, publicKey, dokuPublicKey: publicKey, issuer: 'shop', secretKey: SECRET })

before(async () => {
  const dir = root('scripts/sandbox/doku.lua', 'scripts/lib', 'scripts/jobs/simulator.lua')
  writeFileSync(join(dir, 'scripts/api/hear.lua'), HEAR)
  s = await Server.start({ dir, args: ['--workers', '2'] })
  Config.CORE_SANDBOX_BASE_URL = `${s.base}/sandbox/doku`
})

const control = async (body, status = 200) => {
  const r = await s.post('/sandbox/doku/_control', body)
  assert.equal(r.status, status, r.body)
  return r.json()
}
const refused = async (code, promise) => {
  const e = await promise.then(() => assert.fail('not refused'), e => e)
  assert.ok(e.response, String(e))
  assert.equal(e.response.data.responseCode, code, JSON.stringify(e.response.data))
  assert.equal(String(e.response.status), code.slice(0, 3))
}
const ref = () => `sdk-${next++}`
const number = () => String(10000000 + next++)
const expires = () => new Date(Date.now() + 7 * 3600000 + 3600000).toISOString().slice(0, 19) + '+07:00'
const money = value => ({ value, currency: 'IDR' })

function va (channel, { trxId = ref(), customer = number(), amount = '44000.00', trx = 'C', prefix = '   19008' } = {}) {
  const want = new CreateVa(prefix, customer, prefix + customer, 'Toko Budi', 'budi@example.com', '6281234567890', trxId, new TotalAmount(amount, 'IDR'),
    new AdditionalInfo(channel, new VaConfig(false)), trx, expires())
  return Object.assign(want, { freeText: undefined })
}
const check = want => Object.assign(new CheckVa(want.partnerServiceId, want.customerNo, want.virtualAccountNo), { inquiryRequestId: null, paymentRequestId: null })

test('a virtual account of each bank: made, shown, asked about', async () => {
  const doku = client()
  for (const bank of ['BCA', 'BANK_MANDIRI', 'BRI', 'BNI', 'BANK_PERMATA', 'BANK_CIMB', 'BANK_DANAMON', 'DOKU']) {
    const want = va(`VIRTUAL_ACCOUNT_${bank}`)
    const made = await doku.createVa(want)
    assert.equal(made.responseCode, '2002700')
    assert.equal(made.virtualAccountData.virtualAccountNo, want.virtualAccountNo)
    assert.equal(made.virtualAccountData.trxId, want.trxId)
    assert.deepEqual(made.virtualAccountData.totalAmount, money('44000.00'))
    assert.match(made.virtualAccountData.additionalInfo.howToPayPage, /^https:/)
    const seen = await doku.checkStatusVa(check(want))
    assert.equal(seen.responseCode, '2002600')
    assert.equal(seen.virtualAccountData.paymentFlagReason.english, 'Pending')
  }
  // its own name for this bank is longer than it lets through itself
  await assert.rejects(doku.createVa(va('VIRTUAL_ACCOUNT_BANK_SYARIAH_MANDIRI')), /channel" length must be less than or equal to 30/)
})

test('paid, and told in SNAP: a token asked for, HMAC over method, path, token, body and time', async () => {
  const doku = client(), want = va('VIRTUAL_ACCOUNT_BCA')
  await doku.createVa(want)
  const paid = await control({ pay: want.trxId })
  assert.deepEqual(paid.callbacks.map(c => c.status), [200])
  const seen = await doku.checkStatusVa(check(want))
  assert.equal(seen.virtualAccountData.paymentFlagReason.english, 'Success')
  assert.deepEqual(seen.virtualAccountData.paidAmount.value, money('44000.00')) // so the client wraps it

  const asked = await s.logged('asked'), told = await s.logged('told')
  const dir = temporary()
  writeFileSync(join(dir, 'key'), publicKey)
  writeFileSync(join(dir, 'signature'), Buffer.from(asked.signature, 'base64'))
  assert.match(openssl(['dgst', '-sha256', '-verify', join(dir, 'key'), '-signature', join(dir, 'signature')], `${asked.client}|${asked.stamp}`).toString(), /Verified OK/)
  const request = { route: { path: '/v1/transfer-va/payment' }, body: JSON.parse(told.body), get: name => ({ 'x-timestamp': told.stamp, 'x-signature': told.signature })[name] }
  doku.tokenB2B = 'heard-token'
  assert.equal(doku.validateSymmetricSignature(request), true, 'as DOKU\'s client checks it')
  assert.equal(hmac('sha512', SECRET, `POST:/v1/transfer-va/payment:heard-token:${sha256(told.body, 'hex')}:${told.stamp}`), told.signature, 'as openssl signs it')
  assert.equal(doku.validateSignature({ get: name => ({ 'x-timestamp': asked.stamp, 'x-signature': asked.signature })[name] }), true)
  const note = Object.assign(new VaNotice(), request.body)
  assert.equal(note.paidAmount.value, '44000.00')
  assert.equal(note.paymentRequestId, seen.virtualAccountData.paymentRequestId)
  await refused('4043114', client().deletePaymentCode(new DeleteVa(want.partnerServiceId, want.customerNo, want.virtualAccountNo, want.trxId, 'VIRTUAL_ACCOUNT_BCA')))
})

test('changed and deleted: PUT and DELETE with bodies', async () => {
  const doku = client(), want = va('VIRTUAL_ACCOUNT_BNI')
  await doku.createVa(want)
  const config = new UpdateConfig('ACTIVE')
  const change = new UpdateVa(want.partnerServiceId, want.customerNo, want.virtualAccountNo, 'Toko Ani', 'ani@example.com', '6281234567891', want.trxId,
    new TotalAmount('55000.00', 'IDR'), new UpdateInfo('VIRTUAL_ACCOUNT_BNI', config), 'C', expires())
  const changed = await doku.updateVa(change)
  assert.equal(changed.responseCode, '2002800')
  assert.equal(changed.virtualAccountData.totalAmount.value, '55000.00')
  const gone = await doku.deletePaymentCode(new DeleteVa(want.partnerServiceId, want.customerNo, want.virtualAccountNo, want.trxId, 'VIRTUAL_ACCOUNT_BNI'))
  assert.equal(gone.responseCode, '2003100')
  await refused('4042612', doku.checkStatusVa(check(want)))
  assert.equal((await s.post('/sandbox/doku/_control', { pay: want.trxId })).status, 409)
})

test('wrong requests get the code that the standard has for them', async () => {
  const doku = client(), first = va('VIRTUAL_ACCOUNT_BRI')
  await doku.createVa(first)
  await refused('4092701', doku.createVa(va('VIRTUAL_ACCOUNT_BRI', { trxId: first.trxId })))
  await refused('4092701', doku.createVa(va('VIRTUAL_ACCOUNT_BRI', { customer: first.customerNo })))
  await refused('4002701', doku.createVa(va('VIRTUAL_ACCOUNT_BRI', { amount: '44000' })))
  await refused('4002702', doku.createVa(va('SOMETHING_ELSE')))
  await refused('4042612', doku.checkStatusVa(check(va('VIRTUAL_ACCOUNT_BRI'))))
  const wrong = client()
  wrong.secretKey = 'SK-other'
  await refused('4012700', wrong.createVa(va('VIRTUAL_ACCOUNT_BRI')))
  const stale = client()
  await stale.getTokenB2B()
  stale.tokenB2B = 'doku-forged'
  await refused('4012701', stale.createVa(va('VIRTUAL_ACCOUNT_BRI')))
  const other = openssl(['genpkey', '-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048'], '').toString()
  await refused('4017300', new TokenController().getTokenB2B(other, ID, false))
  await refused('4017300', new TokenController().getTokenB2B(privateKey, 'BRN-other', false))
})

const jump = (channel, reference = ref()) => new JumpApp(reference, money('44000.00'), [{ url: 'https://shop.example/back', type: 'PAY_RETURN', isDeepLink: 'N' }],
  expires(), 'Mobile Web', { channel, orderTitle: 'An order' })
const status = reference => Object.assign(new CheckDebit(reference), { serviceCode: '55', additionalInfo: { channel: 'EMONEY_DANA_SNAP' } })

test('wallets with a page: made, paid, asked about, given back', async () => {
  for (const channel of ['EMONEY_DANA_SNAP', 'EMONEY_SHOPEE_PAY_SNAP']) {
    const doku = client(), want = jump(channel)
    const made = await doku.doPaymentJumpApp(want, IP, 'device-1')
    assert.equal(made.responseCode, '2005400')
    assert.equal(made.partnerReferenceNo, want.partnerReferenceNo)
    assert.match(await (await fetch(made.webRedirectUrl)).text(), /data-back="https:\/\/shop\.example\/back"/)
    assert.equal((await doku.doCheckStatus(status(want.partnerReferenceNo))).latestTransactionStatus, '03')
    await control({ pay: want.partnerReferenceNo })
    const seen = await doku.doCheckStatus(status(want.partnerReferenceNo))
    assert.equal(seen.latestTransactionStatus, '00')
    assert.deepEqual(seen.transAmount, money('44000.00'))
    const back = (no, value) => doku.doRefund(new Refund(want.partnerReferenceNo, money(value), no, undefined, 'a reason', { channel }), 'code-1', IP, 'device-1')
    const part = await back('rf-1', '4000.00')
    assert.equal(part.responseCode, '2005800')
    assert.deepEqual(part.refundAmount, money('4000.00'))
    await refused('4095801', back('rf-1', '4000.00'))
    await refused('4045813', back('rf-2', '40001.00'))
    await back('rf-3', '40000.00')
    const after = await doku.doCheckStatus(status(want.partnerReferenceNo))
    assert.equal(after.latestTransactionStatus, '04')
    assert.deepEqual(after.refundHistory.map(r => [r.partnerReferenceNo, r.refundStatus]), [['rf-1', '00'], ['rf-3', '00']])
    await refused('4095401', doku.doPaymentJumpApp(jump(channel, want.partnerReferenceNo), IP, 'device-1'))
    await refused('4045501', doku.doCheckStatus(status('nobody')))
  }
})

test('linked wallets, accounts and cards: the calls are where the client looks for them', quiet(async () => {
  const doku = client(), more = { channel: 'EMONEY_OVO_SNAP' }
  const token = await doku.getTokenB2B2c('code-1')
  assert.equal(token.responseCode, '2007400')
  const bound = await doku.doAccountBinding(new Bind('6281234567890', { ...more, custIdMerchant: 'c-1', successRegistrationUrl: 'https://shop.example/y', failedRegistrationUrl: 'https://shop.example/n' }), IP, 'device-1')
  assert.equal(bound.responseCode, '2000700')
  const paid = new Payment(ref(), new Amount('44000.00', 'IDR'), [], new PaymentInfo(more.channel, undefined, 'https://shop.example/y', 'https://shop.example/n'))
  const answer = await doku.doPayment(paid, 'code-1', IP, 'device-1')
  assert.equal(answer.responseCode, '2005400', JSON.stringify(answer))
  assert.equal((await doku.doCheckStatus(Object.assign(status(paid.partnerReferenceNo), { additionalInfo: { ...more } }))).latestTransactionStatus, '00')
  const balance = await doku.doBalanceInquiry(new Balance({ ...more }), 'code-1', IP)
  assert.equal(balance.responseCode, '2001100')
  assert.equal((await doku.doAccountUnbinding(new Unbind('token-1', { channel: 'EMONEY_OVO_SNAP' }), IP)).responseCode, '2000900')
  const bri = { channel: 'DIRECT_DEBIT_BRI_SNAP' }
  const card = new CardBind({ bankCardNo: '4000000000000002', bankCardType: 'D', expiryDate: '1130' }, 'cust1', '6281234567890',
    { ...bri, successRegistrationUrl: 'https://shop.example/y', failedRegistrationUrl: 'https://shop.example/n' })
  const registered = await doku.doRegistrationCardBind(card)
  assert.equal((registered.data ?? registered).responseCode, '2000100')
  assert.equal((await doku.doUnRegistCardUnBind(new CardUnbind('token-1', bri))).responseCode, '2000500')
  assert.doesNotMatch(s.raw, /4000000000000002/)
}))

// ---- the other family, with openssl for a client

const plain = async (method, path, body, { secret = SECRET, id = randomUUID(), at = new Date().toISOString().slice(0, 19) + 'Z' } = {}) => {
  const text = body === undefined ? undefined : JSON.stringify(body)
  const lines = [`Client-Id:${ID}`, `Request-Id:${id}`, `Request-Timestamp:${at}`, `Request-Target:${path}`]
  if (text !== undefined) lines.push(`Digest:${sha256(text, 'base64')}`)
  const headers = { 'Client-Id': ID, 'Request-Id': id, 'Request-Timestamp': at, Signature: 'HMACSHA256=' + hmac('sha256', secret, lines.join('\n')) }
  const r = await s.ask(method, '/sandbox/doku' + path, { body: text, headers: { ...headers, ...(text !== undefined && { 'content-type': 'application/json' }) } })
  const component = [`Client-Id:${ID}`, `Request-Id:${id}`, `Response-Timestamp:${r.headers['response-timestamp']}`, `Request-Target:${path}`, `Digest:${sha256(r.body, 'base64')}`]
  assert.equal(r.headers.signature, 'HMACSHA256=' + hmac('sha256', SECRET, component.join('\n')), 'the answer is signed as well')
  return r
}

test('non-SNAP: signed by openssl, answered and told signed', async () => {
  const invoice = ref(), id = randomUUID()
  const want = { order: { invoice_number: invoice, amount: 44000 }, payment: { type: 'SALE' }, additional_info: { override_notification_url: `${s.base}/hear` } }
  assert.equal((await plain('GET', `/orders/v1/status/${invoice}`)).status, 404)
  const made = await plain('POST', '/credit-card/v1/payment-page', want, { id })
  assert.equal(made.status, 200, made.body)
  assert.match(made.json().credit_card_payment_page.url, /\/sandbox\/doku\/page\?reference=/)
  assert.equal((await plain('POST', '/credit-card/v1/payment-page', want, { id })).status, 400, 'a Request-Id serves once')
  assert.equal((await plain('POST', '/credit-card/v1/payment-page', want)).status, 400, 'an invoice too')
  assert.equal((await plain('POST', '/credit-card/v1/payment-page', want, { secret: 'SK-other' })).status, 401)
  assert.equal((await plain('POST', '/credit-card/v1/payment-page', want, { at: '2020-01-01T00:00:00Z' })).status, 400)
  const pending = (await plain('GET', `/orders/v1/status/${invoice}`)).json()
  assert.equal(pending.transaction.status, 'PENDING')
  assert.equal(pending.transaction.original_request_id, id)

  await s.post('/sandbox/doku/page/decline', { reference: invoice })
  const failed = await s.logged('heard', l => JSON.parse(l.body).transaction.status === 'FAILED')
  assert.equal(JSON.parse(failed.body).card_payment.response_code, '05')
  assert.equal((await plain('GET', `/orders/v1/status/${invoice}`)).json().transaction.status, 'FAILED')
  await control({ pay: invoice }) // FAILED is one attempt: the invoice may still be paid
  const told = await s.logged('heard', l => JSON.parse(l.body).transaction.status === 'SUCCESS')
  const component = [`Client-Id:${told.client}`, `Request-Id:${told.id}`, `Request-Timestamp:${told.stamp}`, 'Request-Target:/hear', `Digest:${sha256(told.body, 'base64')}`]
  assert.equal(told.signature, 'HMACSHA256=' + hmac('sha256', SECRET, component.join('\n')))
  assert.equal((await plain('GET', `/orders/v1/status/${invoice}`)).json().transaction.status, 'SUCCESS')

  const back = await plain('POST', '/cancellation/credit-card/refund', { order: { invoice_number: invoice }, payment: { original_request_id: id }, refund: { amount: 4000 } })
  assert.equal(back.json().refund.type, 'PARTIAL_REFUND')
  assert.equal((await plain('POST', '/cancellation/credit-card/refund', { order: { invoice_number: invoice }, payment: { original_request_id: id }, refund: { amount: 44000 } })).status, 400)
})

test('the reference\'s vectors, by openssl', () => {
  const body = '{"order":{"amount":20000,"invoice_number":"INV-EX-1"}}'
  const lines = ['Client-Id:BRN-0001-EXAMPLE', 'Request-Id:req-0001', 'Request-Timestamp:2026-01-02T03:04:05Z', 'Request-Target:/checkout/v1/payment',
    'Digest:' + openssl(['dgst', '-sha256', '-binary'], body).toString('base64')]
  assert.equal(lines[4], 'Digest:b9OUf+vTQTVZc3GFjyhlVTEjpDxQYyFmLoK1OUNk9T4=')
  assert.equal(hmac('sha256', 'SK-example', lines.join('\n')), 'UIfRV2CQai0JCqTCLVr1SuwyO9283HsD/RcHuPRdBNg=')
  const qr = '{"partnerReferenceNo":"INV-EX-1","amount":{"value":"20000.00","currency":"IDR"}}'
  const text = `POST:/snap-adapter/b2b/v1.0/qr/qr-mpm-generate:TOKEN1:${sha256(qr, 'hex')}:2026-01-02T10:04:05+07:00`
  assert.equal(hmac('sha512', 'SK-example', text), 'NSzFuXyZHNnD+AtXTsMoShgM1TO//zIfmpcmtfyrRVWcOGnlLtWHuMqbsjMoNOpBYesdKyyZU2J3PVgf2B9yaQ==')
  assert.equal(openssl(['dgst', '-sha256', '-r'], '10000BRN-0001-EXAMPLEINV-EX-1081234567890SK-example').toString().split(' ')[0],
    '083a938facfb9b98b553fb6ff61e35888cdde1dd62a6a3ea48220c0a136d6158')
})

test('our own door: DOKU\'s client fetches a token from us and knows it for ours', async () => {
  const own = await Server.start({ dir: root('channels/doku_bca_va.lua', 'channels/doku_bni_va.lua', 'scripts/lib', 'scripts/sandbox/doku.lua', 'scripts/jobs/simulator.lua') })
  const before = Config.CORE_SANDBOX_BASE_URL
  Config.CORE_SANDBOX_BASE_URL = own.base
  const doku = client()
  const token = await doku.getTokenB2B()
  Config.CORE_SANDBOX_BASE_URL = before
  assert.equal(token.responseCode, '2007300')
  assert.equal(doku.validateTokenB2B(`Bearer ${token.accessToken}`).clientId, ID)
  const body = JSON.stringify({ trxId: 'nobody', paymentRequestId: 'p-1', paidAmount: money('44000.00') })
  const at = expires()
  const ask = (headers = {}) => own.post('/v1/transfer-va/payment', body, { headers: { 'content-type': 'application/json', 'x-timestamp': at, 'x-external-id': randomUUID(), ...headers } })
  assert.equal((await ask()).json().responseCode, '4012701')
  const now = new Date(Date.now() + 7 * 3600000).toISOString().slice(0, 19) + '+07:00'
  const sign = path => hmac('sha512', SECRET, `POST:${path}:${token.accessToken}:${sha256(body, 'hex')}:${now}`)
  const mine = { authorization: `Bearer ${token.accessToken}`, 'x-timestamp': now }
  assert.equal((await ask({ ...mine, 'x-signature': sign('/elsewhere') })).json().responseCode, '4012700')
  const unknown = await ask({ ...mine, 'x-signature': sign('/v1/transfer-va/payment') })
  assert.equal(unknown.status, 503, 'signed, and not known here: it comes again')
  await own.stop()
})
