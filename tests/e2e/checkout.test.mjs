// The checkout in a real browser: the payer's whole way for each kind of instructions, another way without
// losing the order, how it ends, and what the page must be besides: accessible, small, closed to the outside.
import { test, before } from 'node:test'
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { cpSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import { join } from 'node:path'
import { ROOT, luwak, temporary } from './luwak.mjs'
import { Server, root, until } from './server.mjs'
import { DESK, SCREENS, accessible, chrome, open, screens } from './browser.mjs'

const KEY = { authorization: 'Basic ' + Buffer.from('sk_test_demo:').toString('base64') }
const SHOP = { success: 'http://shop.example/thanks?from=luwak', failure: 'http://shop.example/sorry#top' }
let s, orders = 0

const everything = () => {
  const dir = root('channels', 'rules', 'scripts')
  return dir
}
before(async () => { s = await Server.start({ dir: everything() }) })

async function create (fields = {}, server = s) {
  const r = await server.post('/v1/payments', { order_id: `co-${++orders}`, amount: 150000, return_urls: SHOP, ...fields }, { headers: KEY })
  assert.equal(r.status, 201, r.body)
  return r.json()
}
const look = async (id, server = s) => (await server.get(`/v1/payments/${id}`, { headers: KEY })).json()
const pays = async (provider, ref, more = {}) => {
  const r = await s.post(`/sandbox/${provider}/_control`, { pay: ref, ...more })
  assert.equal(r.status, 200, r.body)
}
const advance = async time => assert.equal((await s.post('/sandbox/_clock', { advance: time })).status, 200)
// Changes that must come without a reload: a mark in the window is gone after one.
const mark = page => page.evaluate(() => { window.stays = true })
async function came (page, selector) {
  await page.waitForSelector(selector)
  assert.equal(await page.evaluate(() => window.stays), true, 'the page was loaded anew')
}
const clean = page => assert.deepEqual(page.trouble, [])
const way = (page, name) => page.locator('.way', { hasText: name }).click()
// what the demo wallet asks for; other wallets ask, too
const phone = (page, text) => page.locator('[id="channel.demo_wallet-phone"]').fill(text)
const goOn = page => page.locator('form', { has: page.locator('[id="channel.demo_wallet-phone"]') }).locator('.btn').click()

test('virtual account: chosen, copied, paid, and back to the shop, without a reload', async () => {
  const p = await create()
  assert.match(p.checkout_url, new RegExp(`^${s.base}/pay/[0-9a-z]{26}$`))
  const page = await open(p.checkout_url, { permissions: ['clipboard-read', 'clipboard-write'] })
  assert.equal(await page.title(), 'Pembayaran ke Demo shop')
  assert.equal(await page.innerText('.amount'), 'Rp150.000')
  await screens(page, 'ways')
  await accessible(page, 'ways')
  await way(page, 'BNI')
  await page.waitForSelector('.num')
  const { instructions, method, bank, attempts } = await look(p.id)
  assert.deepEqual([instructions.type, method, bank, attempts.length], ['va_number', 'virtual_account', 'bni', 1])
  assert.equal((await page.locator('.num').first().innerText()).replaceAll(' ', ''), instructions.va_number)
  await page.locator('.copy[data-copy]').first().click()
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), instructions.va_number)
  assert.equal(await page.innerText('#live'), 'Tersalin') // a screen reader is told
  const clock = await page.innerText('[data-left]')
  assert.match(clock, /^23:59:\d\d$/)
  await until('the countdown goes on', async () => await page.innerText('[data-left]') !== clock)
  assert.ok(await page.locator('.steps li', { hasText: instructions.va_number.slice(0, 4) }).count() > 0)
  await screens(page, 'virtual-account')
  await accessible(page, 'virtual account')
  await mark(page)
  await pays('midtrans', p.id)
  await came(page, '.end .good')
  assert.equal(await page.innerText('h1'), 'Pembayaran berhasil')
  assert.equal(await page.evaluate(() => document.activeElement.tagName), 'H1')
  assert.equal(await page.innerText('#live'), 'Pembayaran berhasil')
  assert.equal(await page.getAttribute('.end .btn', 'href'), `http://shop.example/thanks?from=luwak&order_id=${p.order_id}`)
  await screens(page, 'success')
  await accessible(page, 'success')
  clean(page)
})

test('QRIS: the picture and the download read as the payment says', async () => {
  const p = await create()
  const page = await open(p.checkout_url, { viewport: DESK, locale: 'en-US' })
  await way(page, 'QRIS')
  await page.waitForSelector('.qr img')
  const { instructions } = await look(p.id)
  const shown = join(temporary(), 'shown.png'), kept = join(temporary(), 'kept.png')
  await page.locator('.qr').screenshot({ path: shown })
  const download = page.waitForEvent('download')
  await page.click('a[download]')
  await (await download).saveAs(kept)
  for (const file of [shown, kept]) assert.equal(execFileSync('zbarimg', ['--nodbus', '-q', '--raw', file]).toString().trim(), instructions.qr_string)
  await screens(page, 'qris')
  await accessible(page, 'QRIS')
  await mark(page)
  await pays('midtrans', p.id)
  await came(page, '.end .good')
  assert.equal(await page.innerText('h1'), 'Payment successful')
  clean(page)
})

test('wallet: to its page and back, then done', async () => {
  const p = await create()
  const page = await open(p.checkout_url)
  await way(page, 'GoPay')
  const link = page.locator('a.btn', { hasText: 'halaman pembayaran' })
  await link.waitFor()
  await screens(page, 'wallet')
  await accessible(page, 'wallet')
  assert.equal((await look(p.id)).status, 'pending')
  await link.click()
  await page.waitForURL(/\/sandbox\/midtrans\//)
  const answered = page.waitForEvent('load') // what is under way would end where we go next
  await page.locator('button').first().click()
  await answered
  await until('paid', async () => (await look(p.id)).status === 'success')
  await page.goto(p.checkout_url)
  assert.equal(await page.innerText('h1'), 'Pembayaran berhasil')
})

test('bill key: both numbers are there to copy', async () => {
  const p = await create()
  const page = await open(p.checkout_url)
  await way(page, 'Mandiri')
  await page.waitForSelector('.num')
  const { instructions: i } = await look(p.id)
  assert.equal(i.type, 'bill')
  assert.deepEqual(await page.locator('.copy[data-copy]').evaluateAll(l => l.map(b => b.dataset.copy)), [i.biller_code, i.bill_key, '150000'])
  await screens(page, 'bill')
  clean(page)
})

test('a shop sends its payer to a retail code as soon as there is a channel for it', async () => {
  const dir = everything()
  cpSync(join(ROOT, 'examples/acme_retail'), dir, { recursive: true })
  const own = await Server.start({ dir })
  const p = await create({}, own)
  const page = await open(p.checkout_url)
  await page.locator('.way', { hasText: /acme/i }).click()
  await page.waitForSelector('.num')
  const { instructions: i } = await look(p.id, own)
  assert.equal(i.type, 'retail')
  assert.equal(await page.getAttribute('.copy[data-copy]', 'data-copy'), i.payment_code)
  await screens(page, 'retail')
  await accessible(page, 'retail')
  await mark(page)
  assert.equal((await own.post('/sandbox/acme/_control', { pay: p.order_id })).status, 200)
  await came(page, '.end .good')
  await own.stop()
})

test('another way: the old one is superseded and withdrawn, its money still caught', async () => {
  const p = await create()
  const page = await open(p.checkout_url)
  await way(page, 'BCA')
  await page.waitForSelector('.num')
  const old = (await look(p.id)).instructions.va_number
  await page.locator('a', { hasText: 'Ganti cara bayar' }).click()
  await page.waitForSelector('.ways')
  await screens(page, 'another-way')
  await way(page, 'Permata')
  await page.waitForSelector('h1:has-text("Permata")')
  const now = await look(p.id)
  assert.deepEqual(now.attempts.map(a => [a.channel, a.status]), [['midtrans_bca_va', 'superseded'], ['midtrans_permata_va', 'pending']])
  assert.deepEqual([now.bank, now.amount_due, now.status], ['permata', 150000, 'pending'])
  assert.notEqual(now.instructions.va_number, old)
  await until('withdrawn at the provider', async () => (await s.get('/sandbox/midtrans/')).body.includes('cancel'))
  assert.equal((await look(p.id)).status, 'pending') // the withdrawal was not the payment's
  // twice pressed is the same way: no third attempt
  await page.goto(p.checkout_url + '/ways')
  await way(page, 'Permata')
  await page.waitForSelector('.num')
  assert.equal((await look(p.id)).attempts.length, 2)
  clean(page)
})

test('money for the way that was left counts', async () => {
  const p = await create()
  const page = await open(p.checkout_url)
  await page.locator('.way', { hasText: /^VA\s*Virtual account/ }).click() // our own numbers: nobody withdraws them
  await page.waitForSelector('.num')
  const { va_number: number } = (await look(p.id)).instructions
  await page.goto(p.checkout_url + '/ways')
  await way(page, 'QRIS')
  await page.waitForSelector('.qr img')
  await mark(page)
  await pays('self', number, { amount: 150000 })
  await came(page, '.end .good')
  const now = await look(p.id)
  assert.deepEqual([now.status, now.amount_paid, now.attempts[0].status], ['success', 150000, 'success'])
})

test('a way that fails leaves the order: the payer is told and chooses again', async () => {
  const p = await create()
  const page = await open(p.checkout_url)
  await way(page, 'Demo Wallet')
  await phone(page, '081200000000') // has no balance
  await goOn(page)
  await page.waitForSelector('.note.bad')
  assert.match(await page.innerText('.note.bad'), /Tidak ada dana yang diambil/)
  await screens(page, 'failed-way')
  await accessible(page, 'a way that failed')
  let now = await look(p.id)
  assert.deepEqual([now.status, now.failure, now.attempts[0].status], ['pending', null, 'failed'])
  await way(page, 'BRI')
  await page.waitForSelector('.num')
  now = await look(p.id)
  assert.deepEqual([now.status, now.attempts.length], ['pending', 2])
  clean(page)
})

test('a field that is wrong is asked for again, with what was typed', async () => {
  const p = await create()
  const page = await open(p.checkout_url, { javaScriptEnabled: false })
  await way(page, 'Demo Wallet')
  await page.evaluate(() => {}).catch(() => {})
  await phone(page, '   ')
  await goOn(page)
  await page.waitForSelector('.note.bad')
  assert.equal((await look(p.id)).attempts.length, 0)
})

test('expiry: the page says so by itself; a way that ends sooner does not end the order', async () => {
  const p = await create()
  const page = await open(p.checkout_url)
  await way(page, 'QRIS')
  await page.waitForSelector('.qr img')
  assert.equal((await look(p.id)).expires_at, p.expires_at) // the code's quarter of an hour is not the order's
  assert.match(await page.innerText('[data-left]'), /^00:1[45]:/)
  await mark(page)
  await advance('40m')
  await came(page, '.ways')
  assert.equal((await look(p.id)).status, 'pending')
  await way(page, 'BNI')
  await page.waitForSelector('.num')
  await mark(page)
  await advance('25h')
  await came(page, '.end .bad')
  assert.equal(await page.innerText('h1'), 'Waktu pembayaran habis')
  assert.equal(await page.getAttribute('.end .btn', 'href'), `http://shop.example/sorry?order_id=${p.order_id}#top`)
  await screens(page, 'expired')
  await accessible(page, 'expired')
  const late = await s.post(new URL(p.checkout_url).pathname, 'way=qris', { headers: { 'content-type': 'application/x-www-form-urlencoded' } })
  assert.equal(late.status, 303)
  assert.equal((await look(p.id)).attempts.length, 2)
  clean(page)
})

test('held for a person: said so, and let go on without a reload; or refused', async () => {
  const dir = everything()
  writeFileSync(join(dir, 'rules/risk/hold.lua'),
    'return { api = 1, kind = "risk", priority = 1, judge = function(p) if p.amount == 777000 then return review "large" end return allow end }')
  const own = await Server.start({ dir })
  const p = await create({ amount: 777000, method: 'virtual_account', bank: 'bni' }, own)
  assert.deepEqual([p.status, p.attempts.length], ['processing', 0])
  const page = await open(p.checkout_url)
  assert.equal(await page.innerText('h1'), 'Sedang diperiksa')
  await screens(page, 'held')
  await accessible(page, 'held')
  const sneak = await own.post(new URL(p.checkout_url).pathname, 'way=qris', { headers: { 'content-type': 'application/x-www-form-urlencoded' } })
  assert.equal(sneak.status, 409)
  assert.equal((await look(p.id, own)).attempts.length, 0)
  await mark(page)
  const tool = (...args) => luwak(['run', join(ROOT, 'scripts/tools/review.lua'), ...args, '--root', dir, '--data', own.data, '--simulated'])
  assert.match(tool('list').out, new RegExp(`${p.id}.*Rp777,000.*large`))
  const done = tool('approve', p.id, '--who', 'Siti')
  assert.equal(done.code, 0, done.err)
  await came(page, '.num') // the way that the merchant had asked for
  assert.equal((await look(p.id, own)).status, 'pending')
  assert.equal(tool('decline', p.id, '--who', 'Siti').code, 1) // not held any more
  const other = await create({ amount: 777000 }, own)
  const second = await open(other.checkout_url)
  await mark(second)
  assert.equal(tool('decline', other.id, '--who', 'Siti').code, 0)
  await came(second, '.end .bad')
  assert.equal((await look(other.id, own)).failure.code, 'FRAUD_DETECTED')
  await own.stop()
})

test('without JavaScript: choosing, the number, the code and the end', async () => {
  const p = await create()
  const page = await open(p.checkout_url, { javaScriptEnabled: false })
  await way(page, 'BCA')
  await page.waitForSelector('.num')
  assert.equal(await page.locator('.copy[data-copy]:visible').count(), 0) // would do nothing
  assert.match(await page.content(), /<noscript><meta http-equiv="refresh" content="15"><\/noscript>/)
  assert.equal(await page.locator('a', { hasText: 'Periksa status' }).count(), 1)
  await pays('midtrans', p.id)
  await page.locator('a', { hasText: 'Periksa status' }).click()
  await page.waitForSelector('.end .good')
})

test('with the keyboard alone', async () => {
  const p = await create()
  const page = await open(p.checkout_url)
  await page.keyboard.press('Tab')
  assert.equal(await page.evaluate(() => document.activeElement.className), 'skip')
  for (let i = 0; i < 12 && !(await page.evaluate(() => document.activeElement.textContent.includes('BCA'))); i++) await page.keyboard.press('Tab')
  await page.keyboard.press('Enter')
  await page.waitForSelector('.num')
  assert.equal((await look(p.id)).bank, 'bca')
})

test('the language is the browser\'s, or the one that was chosen, and stays', async () => {
  const p = await create()
  const en = await open(p.checkout_url, { locale: 'en-GB' })
  assert.equal(await en.getAttribute('html', 'lang'), 'en')
  const fr = await open(p.checkout_url, { locale: 'fr-FR' })
  assert.equal(await fr.getAttribute('html', 'lang'), 'id')
  await fr.click('a[hreflang=en]')
  await fr.waitForSelector('html[lang=en]')
  await fr.goto(p.checkout_url)
  assert.equal(await fr.getAttribute('html', 'lang'), 'en')
  for (const [header, lang] of [['en;q=0.2, id;q=0.9', 'id'], ['id;q=0.1,en', 'en'], ['ms-MY', 'id'], ['', 'id'], [';;;q=x,,', 'id']]) {
    const r = await s.get(new URL(p.checkout_url).pathname, { headers: { 'accept-language': header } })
    assert.match(r.body, new RegExp(`<html lang="${lang}">`), header)
  }
})

test('what a shop wrote is text, and the policy lets nothing else in', async () => {
  const evil = "<img/src=x/onerror=alert(1)>'&"
  const p = await create({ order_id: evil, return_urls: { success: 'http://shop.example/"><script>alert(1)</script>', failure: 'http://shop.example/no' } }).catch(() => create({ order_id: evil }))
  const page = await open(p.checkout_url)
  assert.equal(await page.innerText('.fine b >> nth=0'), evil)
  assert.equal(await page.locator('img[src=x]').count(), 0)
  const r = await s.get(new URL(p.checkout_url).pathname)
  const policy = r.headers['content-security-policy']
  assert.match(policy, /default-src 'none'; script-src 'self'; style-src 'self'/)
  assert.ok(!/unsafe|\*|https?:/.test(policy), policy)
  assert.equal(r.headers['referrer-policy'], 'no-referrer')
  assert.equal(r.headers['cache-control'], 'no-store')
  assert.ok(!/<script(?![^>]*src=)|style="| on\w+="/.test(r.body), 'something inline')
  assert.ok(!/sk_test|per_|shop\.example/.test(r.body))
  assert.equal((await s.get('/pay/00000000000000000000000000')).status, 404)
  assert.equal((await s.get('/pay/' + 'x'.repeat(300))).status, 404)
  clean(page)
})

test('a first visit is less than 60 kB, uncompressed', async () => {
  const p = await create()
  const page = await (await chrome()).newPage()
  const bodies = []
  page.on('response', r => { // the stream of events has no end
    if (!/event-stream/.test(r.headers()['content-type'])) bodies.push(r.body().then(b => [r.url(), b.length + 400]))
  })
  await page.goto(p.checkout_url, { waitUntil: 'load' })
  const whole = await Promise.all(bodies)
  const bytes = whole.reduce((sum, [, n]) => sum + n, 0)
  assert.equal(whole.length, 3, JSON.stringify(whole))
  assert.ok(bytes < 60000, JSON.stringify(whole))
  assert.ok(bytes > 10000)
  await page.close()
})

// One stream of events, read until `enough` of its messages came; then the peer goes away.
function stream (path, enough) {
  return new Promise((resolve, reject) => {
    const req = http.get(`${s.base}${path}`, { agent: false }, res => {
      let text = ''
      const said = () => [...text.matchAll(/^data: (.*)$/gm)].map(m => JSON.parse(m[1]))
      res.on('data', d => { text += d; if (said().length >= enough) { resolve({ res, said: said(), text }); if (enough < Infinity) req.destroy() } })
      res.on('end', () => resolve({ res, said: said(), text, ended: true }))
    })
    req.on('error', reject)
  })
}

test('event streams: what stands, what changes, and the end; not more than a payer has use for', async () => {
  const p = await create({ method: 'virtual_account', bank: 'self' })
  const path = new URL(p.checkout_url).pathname + '/events'
  const first = await stream(path, 1)
  assert.equal(first.res.headers['content-type'], 'text/event-stream')
  assert.equal(first.said[0].status, 'pending')
  const all = Array.from({ length: 60 }, () => stream(path, Infinity))
  await until('sixty listen', async () => {
    const more = await stream(path, 1)
    return more.said.length === 1 || more.res.statusCode === 204
  })
  await pays('self', p.id)
  for (const one of await Promise.all(all)) {
    assert.equal(one.said.at(-1).status, 'success')
    assert.ok(one.ended)
  }
  const after = await stream(path, Infinity)
  assert.deepEqual([after.said.length, after.said[0].status, after.ended], [1, 'success', true])
  assert.equal((await s.get('/pay/00000000000000000000000000/events')).status, 404)
})

test('a page that lost its stream comes back to it, and misses nothing', async () => {
  const p = await create({ method: 'virtual_account', bank: 'self' })
  const page = await open(p.checkout_url)
  await page.waitForSelector('.num')
  await page.context().setOffline(true)
  await pays('self', p.id)
  await page.context().setOffline(false)
  await page.waitForSelector('.end .good')
})

test('screens were kept', async () => {
  assert.ok(SCREENS.endsWith('build/screens'))
  await s.stop()
})
