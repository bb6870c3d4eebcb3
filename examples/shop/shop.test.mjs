// The example shop, as somebody meets it after `make run`: a basket, the checkout, money, and the webhook
// that says so; and webhooks that somebody made up.
import { test } from 'node:test'
import assert from 'node:assert/strict'
import { cpSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT, luwak } from '../../tests/e2e/luwak.mjs'
import { Server, root, until } from '../../tests/e2e/server.mjs'
import { accessible, open, screens } from '../../tests/e2e/browser.mjs'

const dir = root('channels', 'rules', 'scripts')
cpSync(join(ROOT, 'examples/shop/scripts'), join(dir, 'examples/shop/scripts'), { recursive: true })

test('a basket is paid at the checkout, and the shop hears of it by webhook', async () => {
  const s = await Server.start({ dir })
  assert.match(s.out, /Open {3}http:\/\/127\.0\.0\.1:\d+\/shop/) // its address is the first that is printed
  assert.match((await s.get('/')).body, /href="\/shop"/)
  const slash = await s.get('/shop/')
  assert.deepEqual([slash.status, slash.headers.location], [303, '/shop'])
  const page = await open(`${s.base}/shop`)
  assert.ok(await page.locator('.btn').isDisabled())
  await page.locator('[aria-label="Tambah Kopi Gayo 250 g"]').click()
  await page.locator('[aria-label="Tambah Kopi Gayo 250 g"]').click()
  await page.locator('[aria-label="Tambah Teh Melati 100 g"]').click()
  await page.locator('[aria-label="Kurangi Kopi Gayo 250 g"]').click()
  assert.equal(await page.innerText('.amount'), 'Rp117.500')
  await screens(page, 'shop')
  await accessible(page, 'the shop')
  await page.locator('.btn').click()
  await page.waitForURL(/\/pay\//)
  assert.equal(await page.innerText('.amount'), 'Rp117.500')
  const order = await page.innerText('.fine b >> nth=0')
  await page.locator('.way', { hasText: 'BCA' }).click()
  await page.waitForSelector('.num')

  // before the money: the browser's coming back says nothing, nor does a webhook that we did not sign
  const made = JSON.stringify({ type: 'payment.succeeded', data: { order_id: order, status: 'success' } })
  for (const headers of [{}, { 'webhook-id': 'x', 'webhook-timestamp': String(Math.floor(Date.now() / 1000)), 'webhook-signature': 'v1,' + 'A'.repeat(43) + '=' },
    { 'webhook-id': 'x', 'webhook-timestamp': 'abc', 'webhook-signature': 'v1,' }]) {
    assert.equal((await s.post('/shop/webhooks', made, { headers: { 'content-type': 'application/json', ...headers } })).status, 401)
  }
  assert.match((await s.get(`/shop/order?order_id=${order}`)).body, /Menunggu kabar pembayaran/)

  await page.locator('button', { hasText: 'Bayar (simulasi)' }).click()
  await page.waitForSelector('.end .good')
  await page.locator('a', { hasText: 'Kembali ke toko' }).click()
  await page.waitForURL(new RegExp(`/shop/order\\?order_id=${order}$`))
  await page.waitForSelector('h1:has-text("Pesanan dibayar")') // it loads itself again until the webhook came
  await screens(page, 'shop-paid')
  await accessible(page, 'an order that is paid')
  assert.deepEqual(page.trouble, [])
  await s.stop()
})

test('an order that expired was not paid', async () => {
  const s = await Server.start({ dir })
  const page = await open(`${s.base}/shop`)
  await page.locator('[aria-label="Tambah Gelas keramik"]').click()
  await page.locator('.btn').click()
  await page.waitForURL(/\/pay\//)
  const order = await page.innerText('.fine b >> nth=0')
  await s.post('/sandbox/_clock', { advance: '30h' })
  await until('the webhook', async () => (await s.get(`/shop/order?order_id=${order}`)).body.includes('Pesanan tidak dibayar'))
  assert.equal((await s.get('/shop/order?order_id=WC-NONE')).status, 404)
  await s.stop()
})

test('a payment that fails as it is made: its webhook may be faster than the API, and every order hears of it', async () => {
  const rule = join(dir, 'rules/risk/never.lua')
  writeFileSync(rule, 'return { api = 1, kind = "risk", judge = function(p) return deny "never" end }')
  const s = await Server.start({ dir, args: ['--workers', '2'] })
  const buy = async () => {
    const paid = await s.post('/shop/pay', '', { headers: { cookie: 'basket=teh.1', host: s.address } })
    assert.equal(paid.status, 303, paid.body)
    return /WC-[0-9A-F]{10}/.exec((await s.get(new URL(paid.headers.location, s.base).pathname)).body)[0]
  }
  const orders = [await buy(), ...await Promise.all(Array.from({ length: 20 }, buy))]
  for (const id of orders) await until(`the webhook of ${id}`, async () => (await s.get(`/shop/order?order_id=${id}`)).body.includes('Pesanan tidak dibayar'))
  await s.stop()
  rmSync(rule)
})

test('outside of simulated mode there is no shop', async () => {
  const env = { LUWAK_ENV: 'sandbox', LUWAK_DATA_KEY: '0123456789abcdef'.repeat(4), LUWAK_PUBLIC_URL: 'https://pay.example' }
  const s = await Server.start({ dir, env, simulated: false })
  for (const path of ['/shop', '/shop/', '/shop/order']) assert.equal((await s.get(path)).status, 404)
  assert.equal((await s.post('/shop/webhooks', '{}')).status, 404)
  assert.equal((await s.post('/pay/00000000000000000000000000/simulate', '')).status, 404)
  assert.ok(!(await s.get('/')).body.includes('/shop'))
  await s.stop()
  assert.equal(luwak(['check', join(ROOT, 'examples/shop/scripts/pages/shop.lua')]).code, 0)
})
