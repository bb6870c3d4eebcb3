// The rules that come with the engine, where only one provider's channels can be used, or two's: whatever
// GET /v1/channels offers is made when it is asked for, by method and by bank.
import { test } from 'node:test'
import assert from 'node:assert/strict'
import { readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Server, root } from './server.mjs'

const KEY = { headers: { authorization: 'Basic ' + Buffer.from('sk_test_demo:').toString('base64') } }
const PROVIDERS = ['midtrans', 'xendit', 'doku']
const SETS = [...PROVIDERS.map(p => [p]), ...PROVIDERS.map(p => PROVIDERS.filter(q => q !== p))]
const ADDRESS = { first_name: 'Ani', last_name: 'S', address: 'Jl. Mawar 1', city: 'Bandung', postal_code: '40111', phone: '081234567890', country_code: 'IDN' }
const OPTIONS = { phone: '081234567890', cashtag: '$payer', shipping_address: ADDRESS, seller_details: [] }

function folder (providers) {
  const dir = root('channels', 'rules', 'scripts')
  for (const file of readdirSync(join(dir, 'channels'))) {
    if (!providers.includes(file.split('_')[0])) rmSync(join(dir, 'channels', file))
  }
  return dir
}
const create = (s, order_id, more) => s.post('/v1/payments', { order_id, amount: 150000,
  customer: { name: 'Ani', email: order_id + '@example.com', phone: '0812345678' + order_id.split('-')[1].padStart(2, '0') }, ...more }, KEY)

for (const providers of SETS) {
  test(`with ${providers.join(' and ')}: each method and each bank that is offered is made`, async () => {
    const s = await Server.start({ dir: folder(providers), args: ['--workers', '1'] })
    const channels = (await s.get('/v1/channels', KEY)).json().data
    const banks = channels.filter(c => c.bank).map(c => c.method + ' ' + c.bank)
    const needs = c => Object.entries(c.options).filter(([, o]) => o.required).map(([name]) => name).filter(name => name !== 'customer')
    // without a bank: a channel that needs something of the payer's is not for anybody
    const any = channels.filter(c => needs(c).length === 0).map(c => c.method)
    for (const [i, way] of [...new Set([...any, ...banks])].entries()) {
      const [method, bank] = way.split(' ')
      const wanted = channels.filter(c => bank && c.method === method && c.bank === bank).flatMap(c => Object.keys(c.options)).filter(name => OPTIONS[name])
      const options = wanted.length ? Object.fromEntries(wanted.map(name => [name, OPTIONS[name]])) : undefined
      const r = await create(s, 'one-' + i, { method, bank, options })
      assert.equal(r.status, 201, `${way}: ${r.body}`)
      const p = r.json()
      assert.ok(['pending', 'processing'].includes(p.status), `${way}: ${r.body}`)
      assert.ok(providers.includes(p.channel.split('_')[0]), `${way}: ${p.channel}`)
      if (bank) assert.equal(p.bank, bank, way)
    }
    await s.stop()
  })
}

test('a route that names none of what is there leaves the order of the files', async () => {
  const dir = folder(['doku'])
  writeFileSync(join(dir, 'rules/routing/default.lua'), 'return { api = 1, kind = "routing", route = function() return { "midtrans_bca_va" } end }')
  const s = await Server.start({ dir, args: ['--workers', '1'] })
  const r = await create(s, 'any-0', { method: 'virtual_account' })
  assert.equal(r.status, 201, r.body)
  assert.equal(r.json().channel, 'doku_bca_va')
  await s.stop()
})
