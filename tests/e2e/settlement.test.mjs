// Reconciliation with a provider's file, and merchants' statements.
import { test } from 'node:test'
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { luwak, temporary } from './luwak.mjs'
import { Server, root } from './server.mjs'

const DEMO = { authorization: 'Basic ' + Buffer.from('sk_test_demo:').toString('base64') }
const tell = (s, ...args) => luwak([...args, '--simulated', '--data', s.data, '--root', s.dir])
const tool = (s, name, ...args) => luwak(['run', '--simulated', '--data', s.data, '--root', s.dir, join(s.dir, 'scripts/tools', name), ...args])
const explain = (s, id) => JSON.parse(tell(s, 'explain', id, '--json').out)

async function start () {
  return Server.start({ dir: root('channels', 'rules', 'scripts') })
}
async function pay (s, order, { amount = 150000, bank = 'bca' } = {}) {
  const r = await s.post('/v1/payments', { order_id: order, amount, method: 'virtual_account', bank }, { headers: DEMO })
  assert.equal(r.status, 201, r.body)
  assert.equal((await s.post(`/sandbox/${bank === 'self' ? 'self' : 'midtrans'}/_control`, { pay: order })).status, 200)
  const life = explain(s, r.json().id)
  return { id: r.json().id, money: life.movements[0].money_id, at: life.movements[0].paid_at.slice(0, 19).replace('T', ' ') }
}

test('a settlement file: matched, extra, differing, missing; booked once however often', async () => {
  const s = await start()
  const a = await pay(s, 'rc-1'), b = await pay(s, 'rc-2', { amount: 50000, bank: 'bni' }), c = await pay(s, 'rc-3')
  const open = (await s.post('/v1/payments', { order_id: 'rc-4', amount: 9000, method: 'virtual_account', bank: 'bri' }, { headers: DEMO })).json()
  const file = join(temporary(), 'settlement.csv')
  const HEAD = 'Order ID,Transaction ID,Transaction Time,Gross Amount,Fee,VAT,Net Amount\n'
  writeFileSync(file, HEAD +
    `rc-1,${a.money},${a.at},150000.00,4000.00,440.00,145560.00\n` +
    `rc-2,${b.money},${b.at},49000,4000,440,44560\n` +
    `rc-4,tx-lost,${a.at},9000,4000,440,4560\n` +
    `other-shop,tx-9,${a.at},7000,0,0,7000\n`)
  const dry = luwak(['run', '--simulated', '--data', s.data, '--root', s.dir, '--dry-run', join(s.dir, 'scripts/tools/reconcile.lua'), 'midtrans', file])
  assert.match(dry.out, /^1 matched \(1 booked now\)/m, dry.err)
  assert.match(dry.err, /a person must look at 3 row\(s\)\ndry run: nothing was changed, 0 request\(s\) not sent\n$/)
  assert.equal(explain(s, a.id).entries.filter(e => e.kind === 'settlement').length, 0, 'a dry run books nothing')
  const first = tool(s, 'reconcile.lua', 'midtrans', file)
  assert.equal(first.code, 1, 'a person must look')
  assert.match(first.out, /^1 matched \(1 booked now\), 1 missing, 2 extra, 1 differing$/m, first.err)
  assert.match(first.out, new RegExp(`^differing line 3 +${b.id} +Rp49,000: it settled Rp49,000 and Rp50,000 came here: -Rp1,000`, 'm'))
  assert.match(first.out, new RegExp(`^extra +line 4 +${open.id} +Rp9,000: payment ${open.id} is pending here: its callback was lost`, 'm'))
  assert.match(first.out, /^extra +line 5 +other-shop +Rp7,000: no attempt of ours has this reference/m)
  assert.match(first.out, new RegExp(`^missing +${c.id} +Rp150,000: paid .* in no file yet`, 'm'))
  assert.match(first.out, /^booked: gross Rp150,000, fees Rp4,000, tax Rp440, to the bank Rp145,560$/m)
  const entries = explain(s, a.id).entries.filter(e => e.kind === 'settlement').map(e => [e.debit, e.credit, e.amount])
  assert.deepEqual(entries, [['bank', 'provider_receivable:midtrans', 145560], ['provider_fee', 'provider_receivable:midtrans', 4000], ['input_vat', 'provider_receivable:midtrans', 440]])
  const again = tool(s, 'reconcile.lua', 'midtrans', file)
  assert.match(again.out, /^1 matched \(0 booked now\), 1 missing, 2 extra, 1 differing$/m)
  assert.equal(explain(s, a.id).entries.filter(e => e.kind === 'settlement').length, 3)
  writeFileSync(file, HEAD + `rc-1,${a.money},${a.at},150000,3000,330,146670\nrc-3,${c.money},${c.at},150000,4000,440,145560\n`)
  const other = tool(s, 'reconcile.lua', 'midtrans', file)
  assert.match(other.out, /booked before as gross 150000, fee 4000, tax 440, net 145560/)
  assert.match(other.out, /^1 matched \(1 booked now\), 1 missing, 0 extra, 1 differing$/m)
  assert.equal(luwak(['verify', '--simulated', '--data', s.data]).code, 0)
  await s.stop()
})

test('a long file is booked by the batch; a row that was booked before, or comes twice, stops no other', async () => {
  const s = await start()
  const paid = []
  for (let i = 0; i < 70; i++) paid.push(await pay(s, `rb-${i}`))
  const file = join(temporary(), 'long.csv'), row = (p, i) => `rb-${i},${p.money},${p.at},150000,4000,440,145560\n`
  const HEAD = 'Order ID,Transaction ID,Transaction Time,Gross Amount,Fee,VAT,Net Amount\n'
  writeFileSync(file, HEAD + row(paid[40], 40))
  assert.match(tool(s, 'reconcile.lua', 'midtrans', file).out, /^1 matched \(1 booked now\)/m)
  writeFileSync(file, HEAD + paid.map(row).join('') + row(paid[69], 69))
  assert.match(tool(s, 'reconcile.lua', 'midtrans', file).out, /^71 matched \(69 booked now\), 0 missing, 0 extra, 0 differing$/m)
  for (const i of [0, 31, 32, 40, 69]) assert.equal(explain(s, paid[i].id).entries.filter(e => e.kind === 'settlement').length, 3)
  assert.equal(luwak(['verify', '--simulated', '--data', s.data]).code, 0)
  await s.stop()
})

test('two refunds that look alike are two; more than went back is not booked', async () => {
  const s = await start()
  const p = (await s.post('/v1/payments', { order_id: 'rr-1', amount: 100000, method: 'ewallet', bank: 'gopay' }, { headers: DEMO })).json()
  assert.equal((await s.post('/sandbox/midtrans/_control', { pay: 'rr-1' })).status, 200)
  for (const key of ['a', 'b']) {
    const r = await s.post(`/v1/payments/${p.id}/refunds`, { amount: 20000 }, { headers: { ...DEMO, 'idempotency-key': key } })
    assert.equal(r.json().status, 'success', r.body)
  }
  const { money_id, paid_at } = explain(s, p.id).movements[0], at = paid_at.slice(0, 19).replace('T', ' ')
  const file = join(temporary(), 'refunds.csv'), back = `rr-1,${money_id},${at},-20000,0,-20000,refund\n`
  const run = rows => { writeFileSync(file, 'Order ID,Transaction ID,Transaction Time,Gross Amount,Fee,Net Amount,Type\n' + rows); return tool(s, 'reconcile.lua', 'midtrans', file).out }
  assert.match(run(back + back), /^2 matched \(2 booked now\)/m)
  assert.match(run(back + back), /^2 matched \(0 booked now\)/m)
  const third = run(back + back + back)
  assert.match(third, /^2 matched \(0 booked now\), .* 1 differing$/m)
  assert.match(third, /it took back Rp60,000 and Rp40,000 went back here/)
  assert.deepEqual(explain(s, p.id).entries.filter(e => e.kind === 'settlement').map(e => e.amount), [20000, 20000])
  assert.equal(luwak(['verify', '--simulated', '--data', s.data]).code, 0)
  await s.stop()
})

test('a refund is one row, in a file with its time and in one without', async () => {
  const s = await start()
  const p = (await s.post('/v1/payments', { order_id: 'rt-1', amount: 100000, method: 'ewallet', bank: 'gopay' }, { headers: DEMO })).json()
  assert.equal((await s.post('/sandbox/midtrans/_control', { pay: 'rt-1' })).status, 200)
  for (const key of ['a', 'b', 'c']) assert.equal((await s.post(`/v1/payments/${p.id}/refunds`, { amount: 20000 }, { headers: { ...DEMO, 'idempotency-key': key } })).json().status, 'success')
  const { money_id, paid_at } = explain(s, p.id).movements[0], day = paid_at.slice(0, 10)
  const file = join(temporary(), 'refunds.csv')
  const run = (...times) => {
    const timed = times[0] !== undefined
    writeFileSync(file, `Order ID,Transaction ID,${timed ? 'Transaction Time,' : ''}Gross Amount,Fee,Net Amount,Type\n` +
      times.map(t => `rt-1,${money_id},${timed ? `${day} ${t},` : ''}-20000,0,-20000,refund\n`).join(''))
    return tool(s, 'reconcile.lua', 'midtrans', file).out
  }
  const booked = () => explain(s, p.id).entries.filter(e => e.kind === 'settlement').length
  assert.match(run('10:00:00'), /^1 matched \(1 booked now\)/m)
  assert.match(run(undefined), /^1 matched \(0 booked now\)/m)
  assert.match(run('11:00:00'), /^1 matched \(1 booked now\)/m, 'another one, of another file')
  assert.match(run(undefined, undefined, undefined), /^3 matched \(1 booked now\)/m)
  assert.match(run('10:00:00', '11:00:00', '12:00:00'), /^3 matched \(0 booked now\)/m)
  assert.match(run('12:00:00', '11:00:00'), /^2 matched \(0 booked now\)/m)
  assert.equal(booked(), 3)
  await s.stop()
})

test('a settlement file that cannot be read books nothing and says where', async () => {
  const s = await start()
  const a = await pay(s, 'rb-1')
  const file = join(temporary(), 'settlement.csv')
  for (const [text, wrong] of [
    ['Order ID,Fee\nrb-1,1\n', /no column for gross \(one of gross amount, .*; it has Fee, Order ID/],
    [`Order ID,Transaction ID,Amount,Fee\nrb-1,${a.money},150000,0\nx,y,12.50,0\n`, /settlement\.csv:3: Amount: 12\.50 is no amount in whole rupiah/],
    ['a\rb\n', /^luwak run: [^ ]*settlement\.csv: line 1: a carriage return alone\n$/],
    ['Order ID,Transaction ID,Amount,Fee\na,b,1,0\nx"y,b,1,0\n', /^luwak run: [^ ]*settlement\.csv: line 3: a quote inside a plain cell\n$/],
    ['Order ID,Transaction ID,Amount,Fee\n,,1,0\n', /:2: neither an order id nor a transaction id/],
    ['Order ID,Transaction ID,Amount,Fee,Transaction Time\na,b,1,0,yesterday\n', /:2: yesterday is no time/]]) {
    writeFileSync(file, text)
    const r = tool(s, 'reconcile.lua', 'midtrans', file)
    assert.equal(r.code, 1)
    assert.match(r.err, wrong)
  }
  assert.equal(explain(s, a.id).entries.filter(e => e.kind === 'settlement').length, 0)
  await s.stop()
})

test('each morning what providers owe too long is told', async () => {
  const s = await start()
  await pay(s, 'od-1')
  await s.post('/sandbox/_clock', { advance: '7d' })
  const told = await s.logged('settlement_overdue', l => l.account === 'midtrans')
  assert.equal(told.movements, 1)
  await s.stop()
})

test('a statement adds up from its opening to its closing balance', async () => {
  const s = await start()
  await pay(s, 'st-1')
  await s.post('/sandbox/_clock', { advance: '7d' })
  await pay(s, 'st-2', { bank: 'self', amount: 70000 })
  const lines = r => { assert.equal(r.code, 0, r.err); return r.out.trim().split('\n').map(l => l.split(',')) }
  const all = lines(tool(s, 'statement.lua', 'mer_demo', '--from', '2020-01-01', '--to', '2099-12-31'))
  assert.deepEqual(all[0], ['at', 'type', 'reference', 'order_id', 'change', 'balance_before', 'balance_after'])
  assert.equal(all[1][1], 'opening')
  assert.equal(all.at(-1)[1], 'closing')
  assert.deepEqual(all.filter(l => l[3] === 'st-1').map(l => [l[1], l[4]]), [['payment', '150000'], ['fee', '-4000'], ['vat', '-440']])
  let balance = 0
  for (const l of all.slice(1)) { assert.equal(Number(l[5]), balance); balance += Number(l[4]); assert.equal(Number(l[6]), balance) }
  const have = (await s.get('/v1/balance', { headers: DEMO })).json()
  assert.equal(balance, have.available + have.pending + have.held)
  const day = all.find(l => l[3] === 'st-2')[0].slice(0, 10)
  const late = lines(tool(s, 'statement.lua', 'mer_demo', '--from', day, '--to', day))
  assert.deepEqual([late[1][6], late.at(-1)[6], late.length], [String(balance - 70000), String(balance), 4])
  for (const [args, wrong] of [[['mer_demo', '--from', '2026-13-01', '--to', '2026-01-01'], /--from: 2026-13-01 is no day/], [['mer_demo', '--from', '2026-01-02', '--to', '2026-01-01'], /--to: .* is before --from/], [['mer_x', '--from', '2026-01-02', '--to', '2026-01-02'], /there is no merchant mer_x/]]) {
    const r = tool(s, 'statement.lua', ...args)
    assert.equal(r.code, 1)
    assert.match(r.err, wrong)
  }
  await s.stop()
})
