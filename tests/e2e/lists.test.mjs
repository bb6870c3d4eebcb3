// Lists by pieces: each is gone through to its end, whatever its length.
import { test } from 'node:test'
import assert from 'node:assert/strict'
import { Server, root } from './server.mjs'

const DEMO = { authorization: 'Basic ' + Buffer.from('sk_test_demo:').toString('base64') }
const get = async (s, path) => { const r = await s.get(path, { headers: DEMO }); return { status: r.status, ...r.json() } }

async function pages (s, path, limit, id) {
  const all = []
  for (let after = ''; ;) {
    const page = await get(s, `${path}?limit=${limit}${after}`)
    assert.equal(page.status, 200)
    assert.equal(page.object, 'list')
    all.push(...page.data.map(o => o[id]))
    if (!page.has_more) return all
    assert.equal(page.data.length, limit)
    after = '&starting_after=' + all.at(-1)
  }
}

test('channels, and more refunds than one page holds', async () => {
  const s = await Server.start({ dir: root('channels', 'rules', 'scripts') })
  const whole = await get(s, '/v1/channels')
  assert.equal(whole.has_more, false)
  const names = whole.data.map(c => c.name)
  assert.ok(names.length > 40)
  assert.deepEqual(await pages(s, '/v1/channels', 20, 'name'), names)
  const twice = await get(s, '/v1/channels?limit=5&x=1&limit=6')
  assert.deepEqual([twice.status, twice.param, twice.detail], [400, 'limit', 'limit is given once'])
  for (const wrong of ['limit=0', 'limit=101', 'starting_after=nobody', 'x=1']) assert.equal((await get(s, '/v1/channels?' + wrong)).status, 400, wrong)

  const p = (await s.post('/v1/payments', { order_id: 'l-1', amount: 150000, method: 'virtual_account', bank: 'self' }, { headers: DEMO })).json()
  assert.equal((await s.post('/sandbox/self/_control', { pay: 'l-1' })).status, 200)
  const made = [], destination = { bank: 'bca', account_number: '7712345678', account_holder: 'ANI' }
  for (let i = 0; i < 105; i++) {
    const r = await s.post(`/v1/payments/${p.id}/refunds`, { amount: 10, destination }, { headers: { ...DEMO, 'idempotency-key': 'k' + i } })
    assert.equal(r.status, 201, r.body)
    made.unshift(r.json().id)
  }
  const path = `/v1/payments/${p.id}/refunds`
  assert.equal((await get(s, path + '?limit=100')).has_more, true)
  assert.equal((await get(s, path)).data.length, 20)
  assert.deepEqual(await pages(s, path, 50, 'id'), made)
  assert.equal((await get(s, path + '?starting_after=re_x')).status, 400)
  await s.stop()
})

test('what merchants write is long, and its lists can be read to their end all the same', async () => {
  const s = await Server.start({ dir: root('channels', 'rules', 'scripts') })
  const metadata = Object.fromEntries(Array.from({ length: 50 }, (_, i) => ['k' + i, 'x'.repeat(500)]))
  const made = [], numbers = []
  for (let i = 0; i < 45; i++) {
    const p = await s.post('/v1/payments', { order_id: 'long-' + i, amount: 150000, method: 'virtual_account', bank: 'self', metadata }, { headers: DEMO })
    assert.equal(p.status, 201, p.body)
    made.unshift(p.json().id)
    const v = await s.post('/v1/virtual_accounts', { bank: 'self', metadata }, { headers: DEMO })
    assert.equal(v.status, 201, v.body)
    numbers.unshift(v.json().id)
  }
  const walk = async (path, next) => {
    const all = []
    for (let page, after = ''; !page || page.has_more; after = next(page.data.at(-1))) {
      page = await get(s, `${path}?limit=100${after}`)
      assert.equal(page.status, 200, JSON.stringify(page).slice(0, 300))
      assert.ok(page.data.length > 0)
      all.push(...page.data)
    }
    return all
  }
  const id = o => '&starting_after=' + o.id
  assert.deepEqual((await walk('/v1/payments', id)).map(o => o.id), made)
  assert.deepEqual((await walk('/v1/virtual_accounts', id)).map(o => o.id), numbers)
  assert.deepEqual((await walk('/v1/events', e => '&after=' + e.sequence)).map(e => e.data.object.id), made.reverse())
  await s.stop()
})
