// luwak person, luwak account, and the audit line that each change leaves.
import { test } from 'node:test'
import assert from 'node:assert/strict'
import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { luwak } from './luwak.mjs'
import { Server, root } from './server.mjs'

const DEMO = { authorization: 'Basic ' + Buffer.from('sk_test_demo:').toString('base64') }
const tell = (s, args, input) => luwak([...args, '--simulated', '--data', s.data, '--root', s.dir], { input })
const verify = s => luwak(['verify', '--simulated', '--data', s.data])
const onDisk = s => readdirSync(s.data).filter(f => /luwak\.db/.test(f)).map(f => readFileSync(join(s.data, f), 'latin1')).join('')
const lines = s => Number(/chain holds, (\d+) lines/.exec(verify(s).out)[1])

test('a person is exported, erased for good, and every chain still verifies', async () => {
  const s = await Server.start({ dir: root('channels', 'rules', 'scripts') })
  const customer = { name: 'Siti Rahayu', email: 'siti@shop.example', phone: '081234567890' }
  const p = (await s.post('/v1/payments', { order_id: 'p-1', amount: 150000, method: 'virtual_account', bank: 'bca', customer }, { headers: DEMO })).json()
  await s.post('/sandbox/midtrans/_control', { pay: p.id })
  const person = JSON.parse(tell(s, ['explain', p.id, '--json']).out).payment.person
  const before = lines(s)
  const out = tell(s, ['person', 'export', person])
  assert.equal(out.code, 0, out.err)
  const got = JSON.parse(out.out)
  assert.deepEqual(got.customer, customer)
  assert.deepEqual(got.payments, [p.id])
  assert.equal(got.erased_at, null)
  assert.equal(tell(s, ['person', 'erase', person]).out, `${person}: erased\n`)
  const after = JSON.parse(tell(s, ['person', 'export', person]).out)
  assert.equal(after.customer, null)
  assert.match(after.erased_at, /^\d{4}-/)
  assert.equal((await s.get(`/v1/payments/${p.id}`, { headers: DEMO })).json().customer, null)
  assert.match(tell(s, ['explain', p.id]).out, /bytes erased/)
  assert.equal(lines(s), before + 3, 'who looked and who erased is on record')
  for (const [args, wrong] of [[['erase', person], /is erased already/], [['erase', 'per_x'], /there is no person per_x/], [['export', 'per_x'], /there is no person per_x/]]) {
    const r = tell(s, ['person', ...args])
    assert.equal(r.code, 1)
    assert.match(r.err, wrong)
  }
  await s.stop()
  assert.equal(verify(s).code, 0)
})

test('a provider account is sealed, listed without its keys, and changed with a line of who did', async () => {
  const s = await Server.start({ dir: root('channels', 'rules', 'scripts') })
  const secret = 'Mid-server-canary-81723'
  const merchant = tell(s, ['merchant', 'new', '--name', 'Own contract', '--direct']).out.trim()
  const before = lines(s)
  const made = tell(s, ['account', 'new', 'midtrans', '--merchant', merchant], JSON.stringify({ MIDTRANS_SERVER_KEY: secret }))
  assert.equal(made.out, `midtrans/${merchant}\n`, made.err)
  assert.equal(tell(s, ['account', 'new', 'midtrans', '--merchant', merchant], JSON.stringify({ MIDTRANS_SERVER_KEY: secret + '2' })).code, 0)
  assert.equal(lines(s), before + 2)
  const list = tell(s, ['account', 'list']).out
  assert.match(list, new RegExp(`^midtrans/${merchant}  simulated  \\d{4}-`, 'm'))
  assert.ok(!list.includes('canary'))
  for (const [args, input, code, wrong] of [
    [['midtrans'], 'secret', 2, /standard input: a JSON object/], [['midtrans'], '{"a":1}', 2, /a JSON object of texts/], [['midtrans'], '{}', 2, /a JSON object of texts/],
    [['Mid trans'], '{"a":"b"}', 2, /no provider's name/], [['midtrans', '--merchant', 'mer_x'], '{"a":"b"}', 1, /there is no merchant mer_x/],
    [['nope', '--merchant', merchant], '{"FOO":"x"}', 2, /: no script is of the provider nope\n$/],
    [['midtrnas', '--merchant', merchant], '{"MIDTRANS_SERVER_KEY":"x"}', 2, /: no script is of the provider midtrnas; did you mean midtrans\?\n$/],
    [['midtrans', '--merchant', merchant], '{"FOO":"x"}', 2, /: no script of midtrans has a key FOO\n$/],
    [['midtrans', '--merchant', merchant], '{"XENDIT_API_KEY":"x"}', 2, /: no script of midtrans has a key XENDIT_API_KEY\n$/],
    [['midtrans', '--merchant', merchant], '{"MIDTRANS_CLIENT_KEY":"x","MIDTRANS_SERVR_KEY":"x"}', 2,
      /: no script of midtrans has a key MIDTRANS_SERVR_KEY; did you mean MIDTRANS_SERVER_KEY\?\n$/]]) {
    const r = tell(s, ['account', 'new', ...args], input)
    assert.equal(r.code, code, r.err)
    assert.match(r.err, wrong)
  }
  assert.equal(lines(s), before + 2, 'what is refused changes nothing')
  await s.stop()
  assert.ok(!onDisk(s).includes('canary'), 'nowhere in the file')
  assert.ok(onDisk(s).includes('operator ' + process.env.USER) || /operator [\w-]+/.test(onDisk(s)))
})

test('options are personal too: sealed with the customer, given to the channel when it asks, exported, erased', async () => {
  const dir = root('channels', 'rules', 'scripts')
  writeFileSync(join(dir, 'channels/opt_wallet.lua'), `return { api = 1, title = "Options", provider = "opt", method = "ewallet", effect = "charge", lookup = "ours", hosts = {},
    input = { phone = { type = "string", required = true } },
    create = function(ctx, op) return processing { data = { long = #op.input.phone } } end,
    inquire = function(ctx, op)
      if not op.input.phone:find "^0812.*44$" or op.input.customer ~= nil or op.data.long ~= 12 then return processing {} end
      return success { money_id = op.reference, amount = op.input.amount }
    end }`)
  const s = await Server.start({ dir })
  const make = (order_id, more = {}) => s.post('/v1/payments', { order_id, amount: 20000, method: 'ewallet', channel: 'opt_wallet', options: { phone: '081277665544' }, ...more }, { headers: DEMO })
  const p = (await make('opt-1')).json()
  assert.equal(p.status, 'processing')
  assert.equal(p.customer, null, 'nobody was named')
  const synced = await s.post(`/v1/payments/${p.id}/sync`, undefined, { headers: DEMO })
  assert.equal(synced.json().status, 'success', synced.body)
  const named = (await make('opt-2', { customer: { name: 'Canary Opsi' } })).json()
  assert.deepEqual(named.customer, { name: 'Canary Opsi' })
  const person = /per_[0-9a-z]{26}/.exec(onDisk(s))[0]
  const exported = JSON.parse(tell(s, ['person', 'export', person]).out)
  assert.deepEqual(exported.options, { phone: '081277665544' })
  assert.equal(exported.payments.length, 1)
  assert.equal(tell(s, ['person', 'erase', person]).code, 0)
  assert.equal(JSON.parse(tell(s, ['person', 'export', person]).out).options, null)
  await s.stop()
  for (const word of ['081277665544', 'Canary Opsi']) assert.ok(!onDisk(s).includes(word), word)
  assert.ok(!s.raw.includes('081277665544'))
  assert.equal(verify(s).code, 0)
})
