// What an operator asks of the books: explain, backtest, reconcile, statements.
import { test } from 'node:test'
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { luwak, temporary } from './luwak.mjs'
import { Server, root, until } from './server.mjs'

const DEMO = { authorization: 'Basic ' + Buffer.from('sk_test_demo:').toString('base64') }
const shop = () => root('channels', 'rules', 'scripts')
const tell = (s, ...args) => luwak([...args, '--simulated', '--data', s.data, '--root', s.dir])

async function pay (s, order, { bank = 'bca', amount = 150000, provider = 'midtrans', ...more } = {}) {
  const r = await s.post('/v1/payments', { order_id: order, amount, method: 'virtual_account', bank, ...more }, { headers: DEMO })
  assert.equal(r.status, 201, r.body)
  const p = r.json()
  assert.equal((await s.post(`/sandbox/${provider}/_control`, { pay: p.id })).status, 200)
  return p
}

test('explain tells a payment from its request to its refund, beside a server and without', async () => {
  const s = await Server.start({ dir: shop() })
  const p = await pay(s, 'life-1', { customer: { name: 'Budi Santoso', email: 'budi@shop.example' } })
  const told = tell(s, 'explain', p.id)
  assert.equal(told.code, 0, told.err)
  for (const piece of [/SUCCESS {2}Rp150,000/, /customer +per_/, /transaction +Rp4,000/, /ppn +Rp440/, /rule @[0-9a-f]{12}/,
    /request +order life-1/, /attempt +att_\w+ through channels\/midtrans_bca_va\.lua @[0-9a-f]{12}/, /attempt +att_\w+ is success/,
    /callback +from midtrans, applied/, /money +Rp150,000 came to midtrans \(due\)/,
    /event +#1 payment\.created/, /event +#2 payment\.succeeded/,
    /ledger +#\d+ provider_receivable:midtrans -> merchant_payable\.pending:mer_\w+ Rp150,000 \(payment\)/,
    /-> output_vat Rp440/, /Still due\n(.*\n)*.*Rp145,560 becomes available/]) assert.match(told.out, piece)
  assert.ok(told.out.indexOf('payment.created') < told.out.indexOf('callback') && told.out.indexOf('callback') < told.out.indexOf('payment.succeeded'))
  assert.doesNotMatch(told.out, /Budi|budi@/, 'customers by id only')
  const whole = JSON.parse(tell(s, 'explain', p.id, '--json').out)
  assert.equal(whole.payment.id, p.id)
  assert.equal(whole.payment.amount_paid, 150000)
  assert.deepEqual(whole.events.map(e => e.type), ['payment.created', 'payment.succeeded'])
  assert.equal(whole.operations[0].version, p.scripts.channel)
  assert.equal(whole.entries.filter(e => e.kind === 'fee').length, 1)
  assert.doesNotMatch(JSON.stringify(whole), /Budi/)
  assert.match(tell(s, 'explain', 'life-1').out, new RegExp(p.id), 'by its order id')
  const none = tell(s, 'explain', 'pay_nobody')
  assert.equal(none.code, 1)
  assert.match(none.err, /^luwak explain: no payment, order, reference, attempt or refund is pay_nobody\n$/)
  await s.stop()
  assert.equal(tell(s, 'explain', p.id).out, told.out, 'the same without a server')
})

// Says what it was not sure of at first, and something else when it is asked.
const ODD = `return { api = 1, title = "odd", provider = "odd", method = "virtual_account", bank = "odd", effect = "offer",
  hosts = { sandbox = "api.odd.example" }, lookup = "ours", amounts = "closed", expires = { default = "1h", grace = "10m" },
  create = function(ctx, op) return unknown { message = "HTTP 404", code = "E404" } end,
  inquire = function(ctx, op) return not_created { message = "nobody of that name" } end }`

test('explain keeps what a provider said first when it says another thing later', async () => {
  const dir = shop()
  writeFileSync(join(dir, 'channels/odd_va.lua'), ODD)
  const s = await Server.start({ dir })
  const r = await s.post('/v1/payments', { order_id: 'odd-1', amount: 150000, method: 'virtual_account', bank: 'odd' }, { headers: DEMO })
  const p = r.json()
  assert.equal(p.status, 'processing', r.body)
  const unknown = /attempt +att_\w+ is unknown: code E404, said HTTP 404$/mg
  assert.equal(tell(s, 'explain', p.id).out.match(unknown)?.length, 1, 'told once while it is so')
  await s.post(`/v1/payments/${p.id}/sync`, '', { headers: DEMO })
  const { out } = tell(s, 'explain', p.id)
  assert.equal(out.match(unknown)?.length, 1, out)
  assert.match(out, /is unknown: [^]*attempt +att_\w+ is failed: code not_created, said nobody of that name$/m)
  await s.stop()
})

test('a channel that goes out of use says why, and what providers said and what became of payments is counted', async () => {
  const dir = shop()
  writeFileSync(join(dir, 'channels/odd_va.lua'), ODD)
  const s = await Server.start({ dir })
  await pay(s, 'counted-1')
  for (let i = 0; i < 5; i++) {
    const r = await s.post('/v1/payments', { order_id: `odd-${i}`, amount: 150000, method: 'virtual_account', bank: 'odd' }, { headers: DEMO })
    assert.equal(r.json().status, 'processing', r.body)
  }
  const line = await s.logged('channel_breaker')
  assert.deepEqual([line.channel, line.state, line.last_call], ['odd_va', 'open', 'unknown: code E404, said HTTP 404'])
  const metrics = (await s.get('/metrics')).body
  for (const count of ['provider_calls_total{provider="odd",call="create",outcome="unknown"} 5', 'provider_calls_total{provider="midtrans",call="create",outcome="pending"} 1',
    'payments_total{status="created"} 6', 'payments_total{status="processing"} 6', 'payments_total{status="pending"} 1', 'payments_total{status="success"} 1'])
    assert.ok(metrics.includes(`luwak_${count}\n`), `${count} in ${metrics.match(/^luwak_(provider_calls|payments).*$/mg)?.join('\n')}`)
  await s.stop()
})

test("a request on which a channel raises before it calls anybody does not put it out of use for others", async () => {
  const dir = shop()
  const raises = `create = function(ctx, op) if op.input.order_id:find("raises") then error("cannot count it") end`
  writeFileSync(join(dir, 'channels/odd_va.lua'), ODD.replace('create = function(ctx, op)', raises))
  const s = await Server.start({ dir, env: { PAYMENT_RETRY_ATTEMPTS: '1' } })
  const create = (order, more) => s.post('/v1/payments', { order_id: order, amount: 150000, method: 'virtual_account', bank: 'odd', ...more }, { headers: DEMO })
  for (let i = 0; i < 6; i++) await create(`raises-${i}`)
  await until('each raised', () => s.events('operation_undecided').length === 6)
  await create('good-1')
  await s.logged('operation_unknown') // it was called
  assert.deepEqual(s.events('channel_breaker'), [])
  await s.stop()
})

test('explain says of an endpoint that was sent nothing that it was not for it', async () => {
  const s = await Server.start({ dir: shop() })
  const url = 'http://127.0.0.1:9/notify'
  assert.equal((await s.post('/v1/webhook_endpoints', { url, format: 'midtrans' }, { headers: DEMO })).status, 201)
  const p = await pay(s, 'other-door')
  await until('the events', () => !/waiting/.test(tell(s, 'explain', p.id).out))
  const { out } = tell(s, 'explain', p.id)
  assert.equal(out.match(/webhook +#\d+ to http:\/\/127\.0\.0\.1:9\/notify: not for this endpoint$/mg)?.length, 2, out)
  assert.doesNotMatch(out, /delivered/)
  await s.stop()
})

test('explain makes no database where there is none', () => {
  const s = { data: join(temporary(), 'data'), dir: shop() }
  const r = tell(s, 'explain', 'pay_1')
  assert.equal(r.code, 1)
  assert.match(r.err, /there is no database in/)
})

const fee = amount => `return { api = 1, kind = "fee", priority = 50, match = { provider = "midtrans", method = "virtual_account" },
  fee = function(p) return { bearer = "merchant", lines = { { "transaction", ${amount} }, { "ppn", 0 } } } end }`

test('backtest says what a rule would have changed, payment by payment and in sum, as it would lie', async () => {
  const s = await Server.start({ dir: shop() })
  const a = await pay(s, 'bt-1'), b = await pay(s, 'bt-2', { amount: 20000, bank: 'bni' })
  const self = await pay(s, 'bt-3', { bank: 'self', provider: 'self' })
  const unpaid = (await s.post('/v1/payments', { order_id: 'bt-4', amount: 70000, method: 'virtual_account', bank: 'bca' }, { headers: DEMO })).json()
  const outside = temporary(), later = join(outside, 'later.lua'), first = join(outside, 'first.lua'), csv = join(outside, 'out.csv')
  writeFileSync(later, fee(100).replace('priority = 50', 'priority = 60'))
  writeFileSync(first, fee('p.amount > 100000 and 7000 or 4000').replace('priority = 50', 'priority = 1'))
  const none = tell(s, 'backtest', later)
  assert.equal(none.code, 0, none.err)
  assert.match(none.out, /^4 payments since .*: 0 would be otherwise\n/, 'it would never have been asked')
  const r = tell(s, 'backtest', first, '--since', '1d', '--csv', csv)
  assert.equal(r.code, 0, r.err)
  assert.match(r.out, new RegExp(`^${a.id} +success +Rp150,000 +merchant: transaction 4000, ppn 440 +-> +merchant: transaction 7000, ppn 0$`, 'm'))
  assert.match(r.out, new RegExp(`^${b.id} +success +Rp20,000 .*-> +merchant: transaction 4000, ppn 0$`, 'm'))
  assert.match(r.out, new RegExp(`^${unpaid.id} +pending`, 'm'))
  assert.ok(!r.out.includes(self.id), 'it does not match that one')
  assert.match(r.out, /^4 payments since .*: 3 would be otherwise$/m)
  assert.match(r.out, /^fees of the 3 that are paid: Rp8,880, would be Rp11,000 \(\+Rp2,120\)$/m)
  const rows = readFileSync(csv, 'utf8').trim().split(/\r?\n/)
  assert.equal(rows.length, 5)
  assert.match(rows[1], new RegExp(`^${a.id},mer_demo,bt-1,success,.*,150000,.*,4440,7000,true,""$`))
  assert.match(rows.find(l => l.startsWith(self.id)), /,0,0,false,""$/)
  // the file of the same path is replaced, not joined: what it does not match any more costs nothing
  const own = join(s.dir, 'rules/fees/midtrans_va.lua')
  const text = readFileSync(own, 'utf8')
  await s.stop()
  writeFileSync(own, text.replace('method = "virtual_account"', 'method = "virtual_account", bank = "bni"'))
  const server = readFileSync(own, 'utf8')
  assert.notEqual(server, text)
  const edited = tell(s, 'backtest', own)
  assert.match(edited.out, new RegExp(`^${a.id} .*-> +merchant: nothing$`, 'm'))
  assert.ok(!edited.out.includes(b.id))
  assert.equal(tell(s, 'backtest', first, '--since', '0s').out.split('\n')[0].replace(/since.*:/, ':'), '0 payments : 0 would be otherwise')
  for (const [args, wrong] of [[['--since', 'soon'], /--since: soon is no time/], [['--csv', '/nowhere/x.csv'], /\/nowhere\/x\.csv/]]) {
    const bad = tell(s, 'backtest', first, ...args)
    assert.equal(bad.code, 1)
    assert.match(bad.err, wrong)
    assert.equal(bad.err.split('\n').length, 2, bad.err)
  }
  assert.equal(tell(s, 'backtest', '/nowhere.lua').err, 'luwak backtest: /nowhere.lua: No such file or directory\n')
  const channel = join(s.dir, 'channels/self_va.lua'), elsewhere = join(temporary(), 'x.lua')
  assert.equal(tell(s, 'backtest', channel).err, 'luwak backtest: channels/self_va.lua is no rule: it is a channel\n')
  writeFileSync(elsewhere, readFileSync(channel))
  assert.match(tell(s, 'backtest', elsewhere).err, /^luwak backtest: .*x\.lua:\d+: .*\n$/, 'one line')
})

test('backtest of routing, risk and policy; a rule that fails is told and ends with 1', async () => {
  const s = await Server.start({ dir: shop() })
  const dir = temporary(), rule = (name, text) => { const f = join(dir, name); writeFileSync(f, `return { api = 1, priority = 1, ${text} }`); return f }
  const p = []
  for (let i = 0; i < 3; i++) p.push(await pay(s, `rr-${i}`))
  const over = (await s.post('/v1/payments', { order_id: 'rr-over', amount: 50000, method: 'virtual_account', bank: 'self' }, { headers: DEMO })).json()
  assert.equal((await s.post('/sandbox/self/_control', { pay: over.id, amount: 51000 })).status, 200)
  const ask = f => tell(s, 'backtest', f)
  const route = ask(rule('route.lua', 'kind = "routing", route = function(p) return { "midtrans_bni_va", on = {} } end'))
  assert.match(route.out, new RegExp(`^${p[0].id} .* midtrans_bca_va +-> +midtrans_bni_va$`, 'm'), route.err)
  const risk = ask(rule('risk.lua', 'kind = "risk", facts = { "payments_per_merchant_1h" }, judge = function(p) if p.facts.payments_per_merchant_1h >= 2 then return deny "many" end return allow end'))
  assert.match(risk.out, new RegExp(`^${p[2].id} .* allow +-> +deny many$`, 'm'), risk.err)
  assert.match(risk.out, /^4 payments .*: 2 would be otherwise$/m)
  const policy = ask(rule('policy.lua', 'kind = "policy", on = "over", decide = function(m) return m.amount == 51000 and "refund" or "accept" end'))
  assert.match(policy.out, new RegExp(`^${over.id} .* wait +-> +refund\n1 movements`, 'm'), policy.err)
  const wrong = ask(rule('fee.lua', 'kind = "fee", fee = function(p) error "no" end'))
  assert.equal(wrong.code, 1)
  assert.match(wrong.out, /the rule fails: .*no/)
  assert.match(wrong.err, /^luwak backtest: 4 payments the rule could not answer for\n$/)
  await s.stop()
})

test('what the settings of the architecture document say is what channels are told', async () => {
  const env = { PAYMENT_GATEWAY: 'midtrans', PAYMENT_ENV: 'sandbox', PAYMENT_SUCCESS_URL: 'https://shop.example/ok', PAYMENT_FAILURE_URL: 'https://shop.example/no', PAYMENT_EXPIRY_HOURS: '3', PAYMENT_SERVER_KEY: 'SB-Mid-server-demo' }
  const dir = shop()
  writeFileSync(join(dir, 'channels/tells_back.lua'), `return { api = 1, title = "Tells", provider = "tells", method = "retail", effect = "offer", hosts = {}, lookup = "ours",
    input = {}, inquire = none "it knows", report = function() return {} end,
    create = function(ctx, op) return pending { payment_code = json.encode { op.input.return_urls or json.null } } end }`)
  const s = await Server.start({ dir, env })
  const back = async (order, more) => {
    const r = await s.post('/v1/payments', { order_id: order, amount: 10000, method: 'retail', channel: 'tells_back', ...more }, { headers: DEMO })
    assert.equal(r.status, 201, r.body)
    const p = r.json()
    return { p, urls: JSON.parse(p.instructions.payment_code)[0] }
  }
  const none = await back('set-1')
  assert.deepEqual(none.urls, { success: 'https://shop.example/ok', failure: 'https://shop.example/no' })
  assert.ok(Math.abs(Date.parse(none.p.expires_at) - Date.parse(none.p.created_at) - 3 * 3600e3) < 60e3)
  assert.deepEqual((await back('set-2', { return_urls: { success: 'https://own.example/' } })).urls, { success: 'https://own.example/', failure: 'https://shop.example/no' })
  await s.stop()
})
