// A real browser for end-to-end tests: Debian's Chromium by playwright-core. Pages keep what went wrong
// in them (errors, refused by policy, requests to elsewhere), and screenshots stay under build/screens.
import { chromium } from 'playwright-core'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { after } from 'node:test'
import assert from 'node:assert/strict'
import { ROOT } from './luwak.mjs'

const FOUND = ['/usr/bin/chromium-headless-shell', '/usr/bin/chromium'].find(p => existsSync(p))
const ARGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync',
  '--no-first-run', '--disable-dev-shm-usage']
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
export const SCREENS = join(ROOT, 'build/screens')
export const PHONE = { width: 390, height: 844 }
export const DESK = { width: 1440, height: 900 }

let browser
export async function chrome () {
  assert.ok(FOUND, 'no Chromium: apt-get install chromium-headless-shell')
  browser ??= await chromium.launch({ executablePath: FOUND, args: ARGS })
  return browser
}
after(async () => { await browser?.close() })

// A page of its own context; `trouble` collects what must not happen.
export async function open (url, { viewport = PHONE, locale = 'id-ID', ...options } = {}) {
  const context = await (await chrome()).newContext({ viewport, locale, reducedMotion: 'reduce', ...options })
  const page = await context.newPage()
  page.trouble = []
  page.on('pageerror', e => page.trouble.push(`error: ${e}`))
  page.on('console', m => { if (m.type() === 'error') page.trouble.push(`console: ${m.text()}`) })
  page.on('request', r => { if (!r.url().startsWith(new URL(url).origin) && !r.url().startsWith('data:')) page.trouble.push(`outside: ${r.url()}`) })
  page.setDefaultTimeout(60000)
  if (url) await page.goto(url)
  return page
}

// In both widths and both colours; nothing may be wider than the screen.
export async function screens (page, name) {
  mkdirSync(SCREENS, { recursive: true })
  const before = page.viewportSize()
  for (const [width, size] of [[390, PHONE], [1440, DESK]]) {
    for (const colorScheme of ['light', 'dark']) {
      await page.setViewportSize(size)
      await page.emulateMedia({ colorScheme })
      await page.screenshot({ path: join(SCREENS, `${name}-${width}-${colorScheme}.png`), fullPage: true })
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${name} is wider than ${width} pixels`)
    }
  }
  await page.emulateMedia({ colorScheme: 'light' })
  await page.setViewportSize(before)
}

// axe-core in both colours, run beside the page's own policy: nothing serious or critical.
export async function accessible (page, name) {
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme })
    const session = await page.context().newCDPSession(page)
    await session.send('Runtime.evaluate', { expression: AXE })
    const { result } = await session.send('Runtime.evaluate', { awaitPromise: true, returnByValue: true,
      expression: "axe.run(document, { resultTypes: ['violations'] }).then(r => r.violations.map(v => ({ id: v.id, impact: v.impact, nodes: v.nodes.map(n => n.html) })))" })
    await session.detach()
    const bad = result.value.filter(v => v.impact === 'serious' || v.impact === 'critical')
    assert.deepEqual(bad, [], `${name} (${colorScheme}): ${JSON.stringify(bad, null, 1)}`)
  }
  await page.emulateMedia({ colorScheme: 'light' })
}
