// The payer's whole way in a real browser where it leads out of our pages: a card typed on each provider's
// hosted page, and a code that is paid at a till; and what each of the checkout's pages weighs.
import { test } from 'node:test'
import assert from 'node:assert/strict'
import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { Server, root, until } from './server.mjs'
import { PHONE, accessible, chrome, open, screens } from './browser.mjs'

const KEY = { authorization: 'Basic ' + Buffer.from('sk_test_demo:').toString('base64') }
const SHOP = { success: 'http://shop.example/thanks?from=luwak', failure: 'http://shop.example/sorry' }
let orders = 0

// A server on which only these providers' channels are: who carries a card is not the payer's choice.
async function server (...providers) {
  const dir = root('channels', 'rules', 'scripts')
  for (const file of readdirSync(join(dir, 'channels'))) {
    if (providers.length > 0 && !providers.some(p => file.startsWith(p + '_'))) rmSync(join(dir, 'channels', file))
  }
  return Server.start({ dir })
}
async function create (s, fields = {}) {
  const r = await s.post('/v1/payments', { order_id: `way-${++orders}`, amount: 150000, return_urls: SHOP, ...fields }, { headers: KEY })
  assert.equal(r.status, 201, r.body)
  return r.json()
}
const look = async (s, id) => (await s.get(`/v1/payments/${id}`, { headers: KEY })).json()
const way = (page, name) => page.locator('.way', { hasText: name }).click()
// The shop is nowhere: what a browser asks of it is answered here.
const shop = page => page.route('http://shop.example/**', r => r.fulfill({ body: '<h1>The shop</h1>', contentType: 'text/html' }))

for (const provider of ['xendit', 'midtrans', 'doku']) {
  test(`card by ${provider}: to the hosted page, paid there, back by itself, and on to the shop`, async () => {
    const s = await server(provider)
    const p = await create(s)
    const page = await open(p.checkout_url)
    await shop(page)
    await way(page, 'Kartu kredit atau debit')
    const link = page.locator('a.btn', { hasText: 'halaman pembayaran' })
    await link.waitFor()
    const chosen = await look(s, p.id)
    assert.deepEqual([chosen.status, chosen.method, chosen.channel, chosen.instructions.type], ['pending', 'card', `${provider}_card`, 'redirect'])
    assert.equal(await page.getAttribute('a.btn', 'href'), chosen.instructions.redirect_url)
    await screens(page, `card-${provider}`)
    await accessible(page, `card by ${provider}`)
    assert.deepEqual(page.trouble, [])
    await link.click()
    await page.waitForURL(new RegExp(`/sandbox/${provider}/`))
    await screens(page, `card-${provider}-hosted`)
    const back = page.waitForURL(u => u.pathname === new URL(p.checkout_url).pathname)
    await page.locator('button', { hasText: 'pay' }).click()
    await back
    await page.waitForSelector('.end .good')
    assert.equal(await page.innerText('h1'), 'Pembayaran berhasil')
    const paid = await look(s, p.id)
    assert.deepEqual([paid.status, paid.amount_paid, paid.attempts.length], ['success', 150000, 1])
    await page.locator('.end .btn').click()
    await page.waitForURL(`http://shop.example/thanks?from=luwak&order_id=${p.order_id}`)
    await s.stop()
  })
}

test('the payer is asked for what he knows and the way cannot do without, and for nothing else', async () => {
  const fields = async (...providers) => {
    const s = await server(...providers), p = await create(s)
    const page = await open(p.checkout_url + '/ways')
    const said = await page.locator('.ways li').evaluateAll(list => list.map(li => {
      return [li.querySelector('[name=way]')?.value, [...li.querySelectorAll('input:not([type=hidden])')].map(i => i.name.replace('option.', ''))]
    }))
    await s.stop()
    return Object.fromEntries(said)
  }
  const midtrans = await fields('midtrans')
  assert.deepEqual([midtrans.card, midtrans['ewallet.gopay']], [[], []]) // not a token of Midtrans' script
  assert.ok(!('paylater.kredivo' in midtrans), 'an address is no field') // its parts are the shop's to send
  const doku = await fields('doku')
  assert.deepEqual([doku['ewallet.dana'], doku['ewallet.ovo']], [[], ['phone']])
  const all = await fields('midtrans', 'xendit', 'doku')
  assert.deepEqual([all['paylater.kredivo'], all['ewallet.jenius'], all['ewallet.ovo']], [[], ['cashtag'], ['phone']]) // by Xendit it needs nothing
})

test('a code for the till: shown, paid there, and the page says so by itself', async () => {
  const s = await server()
  for (const [outlet, name] of [['alfamart', 'Alfamart'], ['indomaret', 'Indomaret']]) {
    const p = await create(s)
    const page = await open(p.checkout_url, { permissions: ['clipboard-read', 'clipboard-write'] })
    await way(page, name)
    await page.waitForSelector('.num')
    const { instructions: i, method, bank } = await look(s, p.id)
    assert.deepEqual([i.type, i.outlet, method, bank], ['retail', outlet, 'retail', outlet])
    assert.equal(await page.innerText('h1'), `Bayar di ${name}`)
    assert.equal(await page.getAttribute('.copy[data-copy]', 'data-copy'), i.payment_code)
    await page.locator('.copy[data-copy]').first().click()
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), i.payment_code)
    await screens(page, `retail-${outlet}`)
    await accessible(page, `retail at ${outlet}`)
    await page.evaluate(() => { window.stays = true })
    assert.equal((await s.post('/sandbox/xendit/_control', { pay: p.id })).status, 200)
    await page.waitForSelector('.end .good')
    assert.equal(await page.evaluate(() => window.stays), true, 'the page was loaded anew')
    assert.equal(await page.innerText('h1'), 'Pembayaran berhasil')
    assert.equal((await look(s, p.id)).status, 'success')
    assert.deepEqual(page.trouble, [])
  }
  await s.stop()
})

// What a browser that was never here is sent, headers and all, as it came over the wire; the stream of
// events has no end and is a few bytes.
async function weigh (url) {
  const context = await (await chrome()).newContext({ viewport: PHONE, locale: 'id-ID' })
  const page = await context.newPage()
  const wire = await context.newCDPSession(page), open = new Set()
  let bytes = 0, requests = 0, streams = 0
  wire.on('Network.requestWillBeSent', r => {
    if (r.request.url.startsWith('data:')) return
    if (r.type === 'EventSource') streams++
    else open.add(r.requestId), requests++
  })
  wire.on('Network.loadingFinished', r => { if (open.delete(r.requestId)) bytes += r.encodedDataLength })
  await wire.send('Network.enable')
  await page.goto(url, { waitUntil: 'load' })
  await until('all has come', () => open.size === 0)
  const title = await page.innerText('h1')
  await context.close()
  return { bytes, requests, streams, title }
}

test('a first visit is less than 60 kB over the wire: the ways to pay, each way, and the end', async () => {
  const LIMIT = 60000
  const s = await server(), p = await create(s)
  const list = await weigh(p.checkout_url)
  assert.equal(list.title, 'Pilih cara pembayaran')
  assert.equal(list.requests, 3) // page, style, script
  const seen = { list: list.bytes }
  const html = (await s.get(new URL(p.checkout_url).pathname)).body
  const ways = [...html.matchAll(/name="way" value="([^"]+)"/g)].map(m => m[1])
  assert.ok(ways.length >= 20, ways.join(' '))
  for (const key of ways) {
    const one = await create(s), path = new URL(one.checkout_url).pathname
    const form = new URLSearchParams({ way: key, 'option.phone': '081234561111', 'option.cashtag': '$budi' }).toString()
    const chosen = await s.post(path, form, { headers: { 'content-type': 'application/x-www-form-urlencoded' } })
    assert.equal(chosen.status, 303, `${key}: ${chosen.body}`)
    const way = await weigh(one.checkout_url)
    assert.match(way.title, /^(Bayar (dengan|di) |Menyiapkan )/, key)
    seen[key] = way.bytes
  }
  const paid = await create(s, { method: 'virtual_account', bank: 'self' })
  await s.post('/sandbox/self/_control', { pay: paid.id })
  const end = await weigh(paid.checkout_url)
  assert.deepEqual([end.title, end.streams], ['Pembayaran berhasil', 0])
  seen.end = end.bytes
  assert.deepEqual(Object.values(seen).filter(bytes => bytes < 10000 || bytes >= LIMIT), [], JSON.stringify(seen))
  await s.stop()
})
