// What waits for somebody goes on: held by a risk rule and decided by a person, created without a method and
// chosen later, authorised and captured.
import { test } from 'node:test'
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { LUWAK, cleanEnv } from './luwak.mjs'
import { Server, root, until } from './server.mjs'

const DEMO = { authorization: 'Basic ' + Buffer.from('sk_test_demo:').toString('base64') }
const RISK = `return { api = 1, kind = "risk", judge = function(p) if p.amount >= 900000 then return review "large" end return allow end }`
const CHOOSE = `return { api = 1, routes = { ["POST /test/choose/:id"] = { auth = "merchant", timeout = "60s",
  run = function(req) return core.payment.choose { merchant = req.merchant, id = req.params.id, body = req.body } end } } }`
// authorises first: nothing is called, so that what the core makes of it is all there is
const AUTH = `return { api = 1, title = "Authorises", provider = "auth", method = "card", effect = "charge", lookup = "ours", hosts = {},
  create = function(ctx, op) return processing { reference = op.reference .. "-t" } end,
  capture = function(ctx, op)
    if op.input.amount == 66000 then return failed { category = "CARD_DECLINED", code = "05", final = true } end
    return success { money_id = "m-" .. op.input.reference, amount = op.input.amount }
  end,
  inquire = function(ctx, op) return processing {} end }`

function shop () {
  const dir = root('channels', 'rules', 'scripts')
  for (const [path, text] of Object.entries({ 'rules/risk/large.lua': RISK, 'scripts/api/choose.lua': CHOOSE, 'channels/auth_card.lua': AUTH })) {
    mkdirSync(join(dir, path, '..'), { recursive: true })
    writeFileSync(join(dir, path), text)
  }
  return dir
}
const create = (s, order_id, amount, more = {}) => s.post('/v1/payments', { order_id, amount, ...more }, { headers: DEMO })
const get = async (s, id) => (await s.get(`/v1/payments/${id}`, { headers: DEMO })).json()
const review = (s, ...args) => spawnSync(LUWAK, ['run', 'scripts/tools/review.lua', ...args, '--simulated', '--data', s.data, '--root', s.dir], { env: cleanEnv({}), encoding: 'utf8', cwd: s.dir })
const verify = s => spawnSync(LUWAK, ['verify', '--simulated', '--data', s.data], { env: cleanEnv({}), encoding: 'utf8' })
const choose = (s, id, body) => s.post(`/test/choose/${id}`, body, { headers: DEMO })

test('held by a risk rule: shown, let go and paid, or declined; who did it is in the audit log', async () => {
  const s = await Server.start({ dir: shop() })
  assert.equal(review(s, 'list').stdout, 'none: no payment is held for a person\n')
  const va = { method: 'virtual_account', bank: 'bca' }
  const [go, no, open] = [(await create(s, 'r-1', 900000, va)).json(), (await create(s, 'r-2', 950000, va)).json(), (await create(s, 'r-3', 900001)).json()]
  for (const p of [go, no, open]) {
    assert.equal(p.status, 'processing')
    assert.deepEqual(p.attempts, [])
    assert.equal(p.instructions, null)
  }
  assert.equal((await choose(s, open.id, { method: 'qris' })).status, 409, 'held is held')
  const list = review(s, 'list')
  assert.equal(list.status, 0, list.stderr)
  for (const p of [go, no, open]) assert.match(list.stdout, new RegExp(`${p.id}  mer_\\w+  ${p.order_id}  .*large`))
  assert.notEqual(review(s, 'approve', go.id).status, 0, 'somebody decides')
  const said = review(s, 'approve', go.id, '--who', 'ani')
  assert.equal(said.status, 0, said.stderr)
  const begun = await until('it goes on', async () => { const p = await get(s, go.id); return p.instructions && p })
  assert.equal(begun.status, 'pending')
  assert.equal(begun.channel, 'midtrans_bca_va')
  assert.equal((await s.post('/sandbox/midtrans/_control', { pay: go.id })).status, 200)
  assert.equal((await get(s, go.id)).status, 'success')
  assert.equal(review(s, 'decline', no.id, '--who', 'ani').status, 0)
  const declined = await get(s, no.id)
  assert.equal(declined.status, 'failed')
  assert.equal(declined.failure.code, 'FRAUD_DETECTED')
  for (const id of [go.id, no.id, 'pay_nobody']) assert.equal(review(s, 'approve', id, '--who', 'ani').status, 1, 'once')
  assert.equal(review(s, 'approve', open.id, '--who', 'ani').status, 0)
  assert.equal((await get(s, open.id)).status, 'pending', 'the payer chooses')
  assert.equal((await choose(s, open.id, { method: 'qris' })).json().instructions.type, 'qr')
  await s.stop()
  assert.match(verify(s).stdout, /chain holds, 3 lines/)
  assert.equal(verify(s).status, 0)
})

test('without a method: the payer chooses later, once; with fee, options and refusals as at create', async () => {
  const s = await Server.start({ dir: shop() })
  const p = (await create(s, 'c-1', 50000, { customer: { name: 'Budi' }, metadata: { a: 1 } })).json()
  assert.equal(p.status, 'pending')
  assert.equal(p.method, null)
  for (const [body, status, param] of [[{}, 400, 'method'], [{ method: 'cash' }, 400, 'method'], [{ method: 'ewallet', channel: 'demo_wallet' }, 400, 'options.phone'],
    [{ bank: 'bca' }, 400, 'method'], [{ amount: 1 }, 400, 'amount'], [{ method: 'virtual_account', bank: 'nobank' }, 400, 'bank']]) {
    const r = await choose(s, p.id, body)
    assert.equal(r.status, status, r.body)
    assert.equal(r.json().param, param)
  }
  assert.equal((await get(s, p.id)).attempts.length, 0, 'what was refused leaves nothing')
  const many = await Promise.all(Array.from({ length: 8 }, () => choose(s, p.id, { method: 'virtual_account', bank: 'bca' })))
  assert.equal(many.filter(r => r.status < 300).length, 1, many.map(r => r.status + r.body).join('\n'))
  for (const r of many) assert.ok(r.status < 300 || r.status === 409, r.body)
  const chosen = await get(s, p.id)
  assert.equal(chosen.instructions.type, 'va_number')
  assert.equal(chosen.attempts.length, 1)
  assert.deepEqual(chosen.customer, { name: 'Budi' })
  assert.equal(chosen.amount_due, 50000)
  assert.equal((await s.post('/sandbox/midtrans/_control', { pay: p.id })).status, 200)
  assert.equal((await get(s, p.id)).status, 'success')
  assert.equal((await choose(s, p.id, { method: 'qris' })).status, 409)
  const own = (await create(s, 'c-2', 50000)).json()
  assert.equal((await choose(s, own.id, { method: 'virtual_account', bank: 'self' })).json().instructions.bank, 'self')
  assert.equal((await s.post('/sandbox/self/_control', { pay: own.id })).status, 200)
  assert.equal((await get(s, own.id)).status, 'success')
  assert.equal((await choose(s, 'pay_nobody', { method: 'qris' })).status, 404)
  await s.stop()
  assert.equal(verify(s).status, 0)
})

// its provider takes its time, until it is let go
const SLOW = `return { api = 1, title = "Slow", provider = "slow", method = "card", effect = "charge", lookup = "ours", hosts = { sandbox = "slow.example" },
  create = function(ctx, op) return processing { reference = op.reference .. "-t" } end,
  capture = function(ctx, op)
    ctx.http.effect { method = "POST", url = "https://slow.example/capture", json = {} }
    return success { money_id = "m-" .. op.input.reference, amount = op.input.amount }
  end,
  inquire = function(ctx, op) return processing {} end }`
const SLOW_BANK = `return { api = 1, provider = "slow", routes = {
  ["POST /capture"] = function(ctx) ctx.store.put("came", "yes") while not ctx.store.get "go" do engine.sleep(20) end return reply(200, {}) end,
  ["GET /came"] = function(ctx) return reply(ctx.store.get "came" and 200 or 404, {}) end,
  ["POST /go"] = function(ctx) ctx.store.put("go", "yes") return reply(200, {}) end } }`

test('a capture that is repeated while it runs hears so; after a crash, how the payment stands', async () => {
  const dir = shop()
  writeFileSync(join(dir, 'channels/slow_card.lua'), SLOW)
  writeFileSync(join(dir, 'scripts/sandbox/slow.lua'), SLOW_BANK)
  const s = await Server.start({ dir, args: ['--workers', '2'] })
  const p = (await create(s, 'sc-1', 80000, { method: 'card', channel: 'slow_card' })).json()
  const capture = server => server.post(`/v1/payments/${p.id}/capture`, {}, { headers: { ...DEMO, 'idempotency-key': 'k' } })
  const first = capture(s)
  await until('it is asked', async () => (await s.get('/sandbox/slow/came')).status === 200)
  const running = await capture(s)
  assert.deepEqual([running.status, running.json().code], [409, 'IDEMPOTENCY_IN_PROGRESS'], running.body)
  first.catch(() => {})
  await s.kill()
  const again = await Server.start({ dir, data: s.data })
  const r = await capture(again)
  assert.deepEqual([r.status, r.json().status, r.headers['idempotent-replayed']], [200, 'processing', 'true'], r.body)
  await again.stop()
})

test('capture reaches a channel that authorises; once; refused where there is nothing', async () => {
  const s = await Server.start({ dir: shop() })
  const capture = (p, key, body = {}) => s.post(`/v1/payments/${p.id}/capture`, body, { headers: { ...DEMO, 'idempotency-key': key } })
  const card = async (order, amount) => (await create(s, order, amount, { method: 'card', channel: 'auth_card' })).json()
  const p = await card('k-1', 80000)
  assert.equal(p.status, 'processing')
  const part = await capture(p, 'k-1', { amount: 1000 })
  assert.equal(part.status, 400)
  assert.equal(part.json().param, 'amount')
  const many = await Promise.all(Array.from({ length: 6 }, (_, i) => capture(p, `k-2-${i}`)))
  assert.equal(many.filter(r => r.status === 200).length, 1, many.map(r => r.status + r.body).join('\n'))
  for (const r of many) assert.ok(r.status === 200 || r.json().code === 'INVALID_STATE', r.body)
  const done = many.find(r => r.status === 200)
  assert.equal(done.json().status, 'success')
  assert.equal(done.json().amount_paid, 80000)
  const again = await capture(p, `k-2-${many.indexOf(done)}`)
  assert.equal(again.body, done.body)
  assert.equal(again.headers['idempotent-replayed'], 'true')
  assert.equal((await capture(p, 'k-3')).status, 409)
  const declined = await card('k-4', 66000)
  assert.equal((await capture(declined, 'k-5')).json().status, 'processing', 'still authorised: it may be tried again')
  const va = (await create(s, 'k-6', 50000, { method: 'virtual_account', bank: 'self' })).json()
  const none = await capture(va, 'k-7')
  assert.equal(none.status, 409)
  assert.match(none.json().detail, /nothing to capture/)
  await s.stop()
  assert.equal(verify(s).status, 0, verify(s).stdout)
})
