// tests/gate/bad_input.txt against the real binary: each case has its status, its code and its field,
// none is a 5xx, and none leaves a row in any table.
import { test } from 'node:test'
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { cpSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { LUWAK, ROOT, cleanEnv, temporary } from './luwak.mjs'
import { changed, countable, rows } from './rows.mjs'
import { Server, root } from './server.mjs'

const basic = key => 'Basic ' + Buffer.from(key + ':').toString('base64')

// ---- the table ----

const repeated = text => text.replace(/<((?:(?!\*\d+>).)+?)\*(\d+)>/g, (_, what, n) => what.repeat(Number(n)))
const values = text => text.split(' | ').map(v => v.trim())

function load () {
  const routes = []
  readFileSync(join(ROOT, 'tests/gate/bad_input.txt'), 'utf8').split('\n').forEach((line, i) => {
    const now = routes.at(-1)
    const [, what, verdict] = /^(.*?)(?:\s*=> (.*))?$/.exec(line)
    if (line === '' || line.startsWith('##')) return
    const m = /^(==|base|by|without|raw|\?|with|key|at|good)(?: (.*))?$/.exec(what) ?? /^(\S+) (:) (.*)$/.exec(what)
    assert.ok(m, `line ${i + 1}: ${line}`)
    if (m[1] === '==') {
      const [method, path] = m[2].split(' ')
      routes.push({ method, path, key: 'sk_test_demo', headers: {}, cases: [] })
    } else if (m[1] === 'base') now.base = m[2]
    else if (verdict === undefined && m[1] === 'by') now.key = m[2]
    else if (verdict === undefined && m[1] === 'with') Object.assign(now.headers, header(m[2]))
    else {
      const [status, code, param] = verdict.split(' ')
      const name = m[1] === 'with' ? m[2].split(':')[0] + ': ' : ''
      const kind = m[2] === ':' ? 'set' : m[1]
      for (const value of values(m[2] === ':' ? m[3] : (m[2] ?? '').slice(name.trimEnd().length))) {
        now.cases.push({ line: i + 1, kind, field: m[1], value: repeated(name + value), status: Number(status), code, param })
      }
    }
  })
  return routes
}

function header (text) {
  const colon = text.indexOf(':')
  return { [text.slice(0, colon).toLowerCase()]: text.slice(colon + 1).trim() }
}

// The field of the base becomes this text, as it stands: 1.0 stays 1.0.
function edited (base, field, text) {
  const body = JSON.parse(base), parts = field.split('.'), last = parts.pop()
  let at = body
  for (const part of parts) at = at[part] ??= {}
  if (text === undefined) delete at[last]
  else at[last] = '@@'
  return JSON.stringify(body).replace('"@@"', () => text)
}

function request (route, c, fill) {
  const r = { method: route.method, path: route.path, body: route.base, headers: { authorization: basic(route.key), ...route.headers } }
  if (route.key === 'none') delete r.headers.authorization
  if (c.kind === 'set') r.body = edited(r.body, c.field, c.value)
  else if (c.kind === 'without') r.body = edited(r.body, c.value)
  else if (c.kind === 'raw') r.body = c.value
  else if (c.kind === '?') r.path += '?' + c.value
  else if (c.kind === 'at') r.path = c.value
  else if (c.kind === 'key') r.headers.authorization = basic(c.value)
  else if (c.kind === 'by') delete r.headers.authorization
  else if (c.kind === 'with') Object.assign(r.headers, header(c.value))
  if (r.body !== undefined) r.headers = { 'content-type': 'application/json', ...r.headers }
  for (const [name, value] of Object.entries(r.headers)) if (value === '') delete r.headers[name]
  r.path = fill(r.path)
  return r
}

// ---- the shop ----

async function shop () {
  const dir = join(temporary(), 'root'), data = join(temporary(), 'data')
  for (const part of ['channels', 'rules', 'scripts']) cpSync(join(ROOT, part), join(dir, part), { recursive: true })
  countable(dir)
  const luwak = (...args) => execFileSync(LUWAK, [...args, '--simulated', '--data', data, '--root', dir], { env: cleanEnv({}), encoding: 'utf8' }).trim()
  const other = luwak('key', 'new', luwak('merchant', 'new', '--name', 'Other')).split('  ')[1]
  const s = await Server.start({ dir, data })
  const made = async (order_id, more, key = 'sk_test_demo') => {
    const r = await s.post('/v1/payments', { order_id, amount: 150000, ...more }, { headers: { authorization: basic(key) } })
    assert.equal(r.status, 201, r.body)
    return r.json().id
  }
  const va = { method: 'virtual_account', bank: 'self' }, phone = { method: 'ewallet', channel: 'demo_wallet', amount: 25000 }
  const ids = { open: await made('open-1', va), paid: await made('paid-1', va), other: await made('other-1', va, other),
    wallet: await made('wallet-1', { ...phone, options: { phone: '081234561111' } }),
    held: await made('held-1', { ...phone, options: { phone: '081234560000' } }) }
  assert.equal((await s.post('/sandbox/self/_control', { pay: ids.paid })).status, 200)
  const hook = await s.post('/v1/webhook_endpoints', { url: 'http://127.0.0.1:9/', enabled_types: ['webhook_endpoint.disabled'] }, { headers: { authorization: basic('sk_test_demo') } })
  ids.hook = hook.json().id
  return { s, fill: text => text.replace(/\$(\w+)/g, (_, name) => ids[name]) }
}

// ---- against it ----

// What is wrong with the answer; undefined: nothing.
function fault (c, path, r) {
  if (r.status !== c.status) return `expected ${c.status}`
  if (!r.headers['x-request-id']) return 'no X-Request-Id'
  if (!/^application\/problem\+json/.test(r.headers['content-type'] ?? '')) return 'no problem+json'
  const problem = r.json()
  if (problem.code !== c.code) return `expected ${c.code}`
  if (c.param !== '*' && (problem.param ?? '-') !== c.param) return `expected param ${c.param}`
}

test('every bad request has its status, code and field, and leaves no row', async () => {
  const routes = load()
  const all = routes.flatMap(r => r.cases.filter(c => c.kind !== 'good'))
  assert.ok(all.length >= 400, `${all.length} cases`)
  const { s, fill } = await shop()
  const wrong = []
  let before = await rows(s)
  for (const route of routes) {
    for (const c of route.cases) {
      const { method, path, body, headers } = request(route, c, fill)
      const r = await s.ask(method, path, { body, headers })
      if (c.kind === 'good') {
        if (r.status !== c.status) wrong.push(`line ${c.line}: the base: expected ${c.status}: ${r.status} ${r.body.slice(0, 200)}`)
        before = await rows(s)
        continue
      }
      const after = await rows(s)
      const left = changed(before, after)
      const said = fault(c, path, r) ?? (left.length ? `left rows in ${left}` : undefined)
      if (said) wrong.push(`line ${c.line}: ${method} ${path.slice(0, 90)} ${(body ?? '').slice(0, 120)}: ${said}: ${r.status} ${r.body.slice(0, 200)}`)
      before = after
    }
  }
  assert.equal(wrong.length, 0, `${wrong.length} of ${all.length} cases:\n${wrong.join('\n')}`)
  await s.stop()
})

test('a payer who fills in what no field of the page could hold is asked again', async () => {
  const s = await Server.start({ dir: root('channels', 'rules', 'scripts') })
  const r = await s.post('/v1/payments', { order_id: 'typed', amount: 150000 }, { headers: { authorization: 'Basic ' + Buffer.from('sk_test_demo:').toString('base64') } })
  const page = new URL(r.json().checkout_url).pathname
  for (const phone of ['0'.repeat(70000), '%ff%fe', '', '%20']) {
    const said = await s.post(page, 'way=ewallet.ovo&option.phone=' + phone, { headers: { 'content-type': 'application/x-www-form-urlencoded' } })
    assert.equal(said.status, 400, phone.slice(0, 10))
    assert.match(said.headers['content-type'], /^text\/html/)
  }
  await s.stop()
})
