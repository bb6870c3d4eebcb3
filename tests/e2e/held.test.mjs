// Money in suspense and refunds by hand: shown, decided by a person with his name in the audit log, and ended.
import { test } from 'node:test'
import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { luwak } from './luwak.mjs'
import { Server, root } from './server.mjs'

const DEMO = { authorization: 'Basic ' + Buffer.from('sk_test_demo:').toString('base64') }
const CHANNEL = `return { api = 1, title = "listener", provider = "listener", method = "virtual_account", bank = "listener", effect = "offer", hosts = {},
  lookup = "ours", inquire = function(ctx, op) return op.reference:find "^polled" and success { amount = 150000 } or pending {} end,
  create = function(ctx, op) return pending { va_number = "1" .. op.reference } end,
  notify = function(ctx, request)
    local told = json.decode(request.body)
    ctx.verify(told.good)
    local verdict = ctx.settle { reference = told.reference, status = told.status or "success", amount = told.amount or 150000, money_id = told.money_id, denial = told.denial }
    return reply(verdict == "not_found" and 503 or 200, { verdict = verdict })
  end }`

async function shop (env) {
  const dir = root('channels', 'rules', 'scripts')
  mkdirSync(join(dir, 'channels'), { recursive: true })
  writeFileSync(join(dir, 'channels/listener_va.lua'), CHANNEL)
  writeFileSync(join(dir, 'rules/policy/second.lua'), 'return { api = 1, kind = "policy", on = "second", decide = function() return "wait" end }')
  const s = await Server.start({ dir, env })
  const run = (...args) => luwak([...args, '--simulated', '--data', s.data, '--root', s.dir])
  return {
    s,
    run,
    held: (...args) => run('run', join(dir, 'scripts/tools/held.lua'), ...args),
    lines: () => Number(/chain holds, (\d+) lines/.exec(luwak(['verify', '--simulated', '--data', s.data]).out)[1]),
    tell: (reference, more) => s.post('/callbacks/listener', { good: true, reference, ...more }),
    clock: advance => s.post('/sandbox/_clock', { advance }),
    get: async id => (await s.get('/v1/payments/' + id, { headers: DEMO })).json(),
    create: async (order_id, more) => {
      const r = await s.post('/v1/payments', { order_id, amount: 150000, method: 'virtual_account', bank: 'listener', expires_in: 86400, ...more }, { headers: DEMO })
      assert.equal(r.status, 201, r.body)
      return r.json()
    },
    end: async () => {
      await s.stop()
      const v = luwak(['verify', '--simulated', '--data', s.data])
      assert.equal(v.code, 0, v.out + v.err)
    }
  }
}
const ok = r => { assert.equal(r.code, 0, r.err); return r.out }

test('money that fitted nothing is its payment\'s once that is known: by the callback that comes again, or by a person', async () => {
  const x = await shop()
  assert.equal((await x.tell('o-1', { money_id: 'm-1' })).status, 503)
  assert.equal((await x.tell('o-2')).status, 503, 'a provider without ids of transfers')
  assert.equal((await x.tell('stray', { money_id: 'm-3' })).status, 503)
  await x.clock('40m')
  const list = ok(x.held('list'))
  assert.match(list, /orphan  listener  m-1  -/)
  assert.match(list, /orphan  listener  =o-2  -/)
  assert.match(list, /3 held: Rp450,000\n0 to be paid by hand: Rp0/)

  const [one, two, three] = [await x.create('o-1'), await x.create('o-2'), await x.create('o-3')]
  assert.equal((await x.tell('o-1', { money_id: 'm-1', again: 1 })).json().verdict, 'applied')
  assert.equal((await x.tell('o-2', { again: 1 })).json().verdict, 'applied')
  assert.equal((await x.tell('o-2', { again: 2 })).json().verdict, 'duplicate')
  for (const p of [one, two]) assert.deepEqual([(await x.get(p.id)).status, (await x.get(p.id)).amount_paid], ['success', 150000])

  const n = /^money (\d+) .*m-3/m.exec(ok(x.held('list')))[1], before = x.lines()
  assert.match(x.held('accept', n, '--who', 'ani').err, /belongs to no payment yet/)
  assert.match(x.held('own', n, three.id).err, /--who is missing/)
  assert.match(x.held('own', n, 'pay_x', '--who', 'ani').err, /not found/)
  assert.equal(ok(x.held('own', n, three.id, '--who', 'ani')), `${n} is ${three.id}'s: applied\n`)
  assert.match(x.held('own', n, three.id, '--who', 'ani').err, /belongs to pay_/)
  assert.equal(x.lines(), before + 1)
  assert.deepEqual([(await x.get(three.id)).status, (await x.get(three.id)).amount_paid], ['success', 150000])
  assert.match(ok(x.held('list')), /0 held: Rp0/)

  assert.equal((await x.tell('stray', { money_id: 'm-4', status: 'reversed' })).status, 503, 'nobody has heard of it')
  assert.equal((await x.tell('stray', { money_id: 'm-3', status: 'reversed' })).json().verdict, 'applied', 'told by what it came with')
  assert.equal((await x.tell('stray', { money_id: 'm-3', status: 'reversed', again: 1 })).json().verdict, 'duplicate')
  assert.equal((await x.get(three.id)).amount_reversed, 150000)
  await x.end()
})

test('money that a way never had is said to be taken back: a person hears of it, once', async () => {
  const x = await shop(), back = { money_id: 'm-9', status: 'reversed', amount: 40000 }
  const noted = id => [...ok(x.run('explain', id)).matchAll(/note +taken_back_and_never_came: (.*)/g)].map(m => m[1])
  const unpaid = await x.create('o-1'), paid = await x.create('o-2')
  assert.equal((await x.tell('o-2', { money_id: 'm-1' })).json().verdict, 'applied')
  for (const p of [unpaid, paid]) {
    for (const again of [1, 2, 3]) assert.deepEqual((await x.tell(p.order_id, { ...back, again })).json(), { verdict: 'refused' })
    await Promise.all([4, 5, 6].map(again => x.tell(p.order_id, { ...back, again })))
    const [way] = (await x.get(p.id)).attempts
    assert.deepEqual(noted(p.id), [`listener says that it took back 40000, id m-9: ${way.id} never got it`])
    assert.equal((await x.get(p.id)).amount_reversed, 0)
    const said = x.s.events('taken_back_and_never_came').filter(l => l.payment === p.id)
    assert.deepEqual(said.map(l => [l.level, l.operation, l.account, l.money_id, l.amount]), [['warn', way.id, 'listener', 'm-9', 40000]])
  }
  assert.equal((await x.tell('o-1', { ...back, denial: true, money_id: 'm-10' })).json().verdict, 'refused')
  assert.equal(noted(unpaid.id).length, 1, 'a try that was denied is no news')
  assert.equal((await x.tell('o-1', { ...back, money_id: 'm-11' })).json().verdict, 'refused')
  assert.equal(noted(unpaid.id).length, 2, 'another transfer is')
  await x.end()
})

test('a name that nobody can have is nobody\'s: nothing is kept, and a person reads of it', async () => {
  const x = await shop()
  await x.create('o-1')
  for (const [reference, money_id] of [['o-1\u0000', 'm-1'], ['x'.repeat(70000), 'm-1'], ['o-1', 'm-\u0000']]) {
    const before = x.s.events('told_of_nobody').length
    const r = await x.tell(reference, { money_id })
    assert.deepEqual([r.status, r.json().verdict], [503, 'not_found'])
    assert.equal((await x.s.logged('told_of_nobody', (l, i) => x.s.events('told_of_nobody').length === before + 1)).amount, 150000)
  }
  await x.clock('40m')
  assert.match(ok(x.held('list')), /^0 held: Rp0/)
  assert.equal((await x.tell('o-1', { money_id: 'm-1' })).json().verdict, 'applied')
  await x.end()
})

test('money that is nobody\'s can be taken back: once, and then nobody owns it', async () => {
  const x = await shop()
  for (const money of [{ reference: 'stray', money_id: 'm-1' }, { reference: 'lost' }]) {
    assert.equal((await x.tell(money.reference, money)).status, 503)
    await x.clock('40m')
    const n = /money (\d+) /.exec(ok(x.held('list')))[1]
    const gone = await x.tell(money.reference, { ...money, status: 'reversed' })
    assert.deepEqual([gone.status, gone.json().verdict], [200, 'applied'])
    const again = await x.tell(money.reference, { ...money, status: 'reversed', later: true })
    assert.deepEqual([again.status, again.json().verdict], [200, 'duplicate'])
    assert.match(ok(x.held('list')), /^0 held: Rp0/)
    assert.match(x.held('own', n, (await x.create('mine-' + n)).id, '--who', 'ani').err, /some of that money went back/)
    const known = await x.create(money.reference) // its reference is a payment's by now, and its money is gone
    const late = await x.tell(money.reference, { ...money, status: 'success', again: true })
    assert.deepEqual([late.status, late.json().verdict], [200, 'duplicate'])
    assert.equal((await x.get(known.id)).amount_paid, 0)
  }
  await x.end()
})

test('a full disk: a provider is told at once to come again, and one line speaks of all of them', async () => {
  const x = await shop({ LUWAK_FAULT: [1, 2, 3, 4, 5].map(n => `store.no_room=fail@${n}`).join(',') })
  const p = await x.create('d-1')
  const began = Date.now()
  for (const more of [{ money_id: 'm-1' }, { money_id: 'm-1', status: 'reversed' }, { status: 'failed' }, { money_id: 'm-1' }]) {
    const r = await x.tell('d-1', more)
    assert.deepEqual([r.status, r.json().code], [503, 'UNAVAILABLE'], r.body)
  }
  assert.equal((await x.tell('stray', { money_id: 'm-2' })).status, 503)
  assert.ok(Date.now() - began < 10000, 'nobody waits for space')
  const said = await x.s.logged('requests_refused')
  assert.deepEqual([said.requests, said.script, /no space left/.test(said.error)], [1, 'channels/listener_va.lua', true])
  assert.deepEqual(x.s.log.filter(l => /route_failed|requests_refused/.test(l.event)).length, 1)
  assert.equal((await x.tell('d-1', { money_id: 'm-1' })).json().verdict, 'applied')
  assert.deepEqual([(await x.get(p.id)).status, (await x.get(p.id)).amount_paid], ['success', 150000])
  await x.end()
})

test('money in suspense that polling had booked as well: a person says that it is the same, and it is booked once', async () => {
  const x = await shop()
  const sync = async p => (await x.s.post(`/v1/payments/${p.id}/sync`, {}, { headers: DEMO })).json().status
  assert.equal((await x.tell('polled-1', { money_id: 'm-1' })).status, 503)
  assert.equal((await x.tell('polled-2')).status, 503, 'a provider without ids of transfers')
  await x.clock('40m')
  for (const [order, money_id] of [['polled-1', 'm-1'], ['polled-2', undefined]]) {
    const id = money_id ?? '=' + order
    const [p, other] = [await x.create(order), await x.create('other-' + order)]
    assert.equal(await sync(p), 'success')
    assert.equal((await x.tell(order, { money_id, again: 1 })).json().verdict, 'duplicate')
    const n = new RegExp(`^money (\\d+) .*${id} `, 'm').exec(ok(x.held('list')))[1], before = x.lines()
    assert.match(x.held('same', n, '--who', 'ani').err, /whose is it/)
    assert.match(x.held('same', n, other.id, '--who', 'ani').err, /polling has found no money of that amount/)
    assert.equal(ok(x.held('same', n, p.id, '--who', 'ani')), `${n} is what polling had booked for ${p.id}, and is booked once now\n`)
    assert.equal(x.lines(), before + 1)
    assert.match(x.held('same', n, p.id, '--who', 'ani').err, /some of that money went back/)
    assert.doesNotMatch(ok(x.held('list')), new RegExp(id))
    assert.match(ok(x.run('explain', p.id)), /decided: money.same by operator ani/)
    assert.equal((await x.get(p.id)).amount_paid, 150000)
    assert.equal((await x.tell(order, { money_id, again: 2 })).json().verdict, 'duplicate')
    assert.equal((await x.tell(order, { money_id, status: 'reversed' })).json().verdict, 'applied', 'its id is the payment\'s now')
    assert.equal((await x.get(p.id)).amount_reversed, 150000)
  }
  await x.end()
})

test('taking back goes by the money, whatever its reference stands for by now', async () => {
  const x = await shop()
  for (const [reference, money_id] of [['late-1', 'm-1'], ['late-2', undefined]]) {
    assert.equal((await x.tell(reference, { money_id })).status, 503)
    await x.clock('40m')
    const n = /money (\d+) /.exec(ok(x.held('list')))[1]
    const [other, its] = [await x.create('other-' + reference), await x.create(reference)]
    ok(x.held('own', n, other.id, '--who', 'ani'))
    if (money_id) assert.equal((await x.tell(reference, { money_id: 'm-2' })).json().verdict, 'applied')
    const gone = await x.tell(reference, { money_id, status: 'reversed' })
    assert.deepEqual([gone.status, gone.json().verdict], [200, 'applied'])
    assert.equal((await x.get(other.id)).amount_reversed, 150000, 'the money that a person gave it')
    assert.equal((await x.get(its.id)).amount_reversed ?? 0, 0)
  }
  await x.end()
})

test('what is nobody\'s yet is taken back though its reference has become another payment\'s', async () => {
  const x = await shop()
  assert.equal((await x.tell('r-1', { money_id: 'm-1', amount: 7000 })).status, 503)
  await x.clock('40m')
  const its = await x.create('r-1')
  assert.equal((await x.tell('r-1', { money_id: 'm-2' })).json().verdict, 'applied')
  const part = await x.tell('r-1', { money_id: 'm-1', status: 'reversed', amount: 5000 })
  assert.deepEqual([part.status, part.json().verdict], [200, 'amount_mismatch'])
  const gone = await x.tell('r-1', { money_id: 'm-1', status: 'reversed', amount: 7000 })
  assert.deepEqual([gone.status, gone.json().verdict], [200, 'applied'])
  assert.match(ok(x.held('list')), /^0 held/)
  assert.equal((await x.get(its.id)).status, 'success')
  await x.end()
})

test('what a person makes a payment paid with costs what the fee rule says of the day it came', async () => {
  const x = await shop()
  const [one, two] = [await x.create('f-1'), await x.create('f-2')]
  assert.equal((await x.tell('f-1', { money_id: 'm-1', amount: 149000 })).status, 200) // not what is due: a person's
  assert.equal((await x.tell('stray', { money_id: 'm-2' })).status, 503)
  await x.clock('40m')
  writeFileSync(join(x.s.dir, 'rules/fees/listener.lua'), `return { api = 1, kind = "fee", match = { provider = "listener" },
    fee = function(p) return { bearer = "merchant", lines = { { "mdr", p.amount // 1000 } } } end }`)
  await x.s.logged('script_live', l => JSON.stringify(l).includes('fees/listener'))
  const number = id => new RegExp(`^money (\\d+) .*${id}`, 'm').exec(ok(x.held('list')))[1]
  ok(x.held('accept', number('m-1'), '--who', 'ani'))
  ok(x.held('own', number('m-2'), two.id, '--who', 'ani'))
  const fees = async p => { const { status, fee } = await x.get(p.id); return [status, fee?.total, fee?.lines] }
  assert.deepEqual(await fees(one), ['success', 149, [{ name: 'mdr', amount: 149 }]])
  assert.deepEqual(await fees(two), ['success', 150, [{ name: 'mdr', amount: 150 }]])
  await x.end()
})

test('a second payment is given back by hand, fails, and counts in the end; each step says who', async () => {
  const x = await shop()
  const p = await x.create('s-1')
  for (const money_id of ['m-1', 'm-2', 'm-3']) assert.equal((await x.tell('s-1', { money_id })).status, 200)
  const [, back, keep] = /^money (\d+) .*m-2 .*\nmoney (\d+) .*m-3/m.exec(ok(x.held('list')))
  const before = x.lines()
  const refund = /(re_\w+)/.exec(ok(x.held('back', back, '--who', 'ani')))[1]
  assert.match(ok(x.held('list')), new RegExp(`1 held: Rp150,000\nrefund ${refund}  .*by hand  ${p.id}.*\n1 to be paid by hand: Rp150,000`))
  assert.match(x.held('back', back, '--who', 'ani').err, /not in suspense/)
  ok(x.held('failed', refund, 'the account is closed', '--who', 'budi'))
  assert.match(ok(x.held('list')), /2 held: Rp300,000\n0 to be paid/)
  const again = /(re_\w+)/.exec(ok(x.held('back', back, '--who', 'ani')))[1]
  assert.equal(ok(x.held('done', again, '--who', 'budi')), `${again} is paid\n`)
  assert.match(x.held('failed', again, '--who', 'budi').err, /is success, it cannot become failed/)
  ok(x.held('accept', keep, '--who', 'ani'))
  const now = await x.get(p.id)
  assert.deepEqual([now.status, now.amount_paid, now.amount_refunded], ['success', 300000, 0])
  assert.equal(x.lines(), before + 5)
  assert.match(ok(x.run('explain', p.id)), /decided: refund.done by operator budi/)
  await x.end()
})

test('money for what the merchant cancelled does not count: it goes back', async () => {
  const x = await shop()
  const p = await x.create('c-1')
  const r = await x.s.post(`/v1/payments/${p.id}/cancel`, {}, { headers: DEMO })
  assert.equal(r.json().status, 'cancelled', r.body)
  assert.equal((await x.tell('c-1', { money_id: 'm-1' })).json().verdict, 'expired')
  assert.deepEqual([(await x.get(p.id)).status, (await x.get(p.id)).amount_paid], ['cancelled', 0])
  assert.match(ok(x.held('list')), new RegExp(`0 held: Rp0\nrefund re_\\w+ .*Rp150,000  by hand  ${p.id}  late`))
  await x.end()
})

test('a QR of which the provider gives a picture only: the page leads there, and draws none', async () => {
  const dir = root('channels', 'rules', 'scripts')
  writeFileSync(join(dir, 'channels/listener_qr.lua'), `return { api = 1, title = "QR", provider = "listener", method = "qris", effect = "offer", hosts = {},
    lookup = "ours", inquire = function() return pending {} end,
    create = function() return pending { qr_image_url = "https://pictures.example/1.png" } end }`)
  const s = await Server.start({ dir })
  const p = (await s.post('/v1/payments', { order_id: 'q-1', amount: 10000, method: 'qris', channel: 'listener_qr' }, { headers: DEMO })).json()
  assert.equal(p.instructions.type, 'qr', JSON.stringify(p))
  const path = new URL(p.checkout_url).pathname
  const page = await s.get(path)
  assert.equal(page.status, 200)
  assert.match(page.body, /href="https:\/\/pictures\.example\/1\.png"/)
  assert.doesNotMatch(page.body, /qr\.svg/)
  for (const file of ['qr.svg', 'qr.png']) assert.equal((await s.get(`${path}/${file}`)).status, 404)
  await s.stop()
})

test('where a refund is paid to is opened for who says his name, and forgotten with the person', async () => {
  const x = await shop()
  const p = await x.create('r-1', { customer: { name: 'Siti Rahayu' } })
  assert.equal((await x.tell('r-1', { money_id: 'm-1' })).status, 200)
  const destination = { bank: 'bca', account_number: '7712345678', account_holder: 'SITI RAHAYU CANARY' }
  const r = await x.s.post(`/v1/payments/${p.id}/refunds`, { amount: 50000, destination }, { headers: { ...DEMO, 'idempotency-key': 'k-1' } })
  assert.equal(r.status, 201, r.body)
  const refund = r.json().id, before = x.lines()
  assert.match(x.held('look', refund).err, /--who is missing/)
  assert.equal(ok(x.held('look', refund, '--who', 'ani')), 'bca  7712345678  SITI RAHAYU CANARY\n')
  assert.equal(x.lines(), before + 1)
  assert.ok(!readdirSync(x.s.data).filter(f => /luwak\.db/.test(f)).some(f => readFileSync(join(x.s.data, f), 'latin1').includes('CANARY')), 'sealed')
  const person = JSON.parse(ok(x.run('explain', p.id, '--json'))).payment.person
  ok(x.run('person', 'erase', person))
  assert.match(x.held('look', refund, '--who', 'ani').err, /no destination, or the person was erased/)
  ok(x.held('done', refund, '--who', 'ani'))
  assert.equal((await x.get(p.id)).amount_refunded, 50000)
  await x.end()
})
