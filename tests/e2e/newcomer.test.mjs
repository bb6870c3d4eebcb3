// What somebody meets in the first hour: data of another key or environment, missing keys and grants,
// slashes, folders, and what is said about each.
import { test } from 'node:test'
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT, luwak, temporary } from './luwak.mjs'
import { Server, root, until, WALLET } from './server.mjs'

const KEY = '0123456789abcdef'.repeat(4)
const OTHER = 'fedcba9876543210'.repeat(4)
const LISTEN = ['--listen', '127.0.0.1:0']
const sandbox = { LUWAK_ENV: 'sandbox', LUWAK_DATA_KEY: KEY }
const production = { LUWAK_ENV: 'production', LUWAK_DATA_KEY: KEY, LUWAK_SCRIPTS: 'auto', LUWAK_PUBLIC_URL: 'https://pay.example' }

// One line of words on stderr, whatever the log adds there.
function refused (code, args, pattern, options) {
  const r = luwak(args, options)
  const said = r.err.split('\n').filter(l => l && !/^(\{|\d{4}-|\d\d:\d\d)/.test(l))
  assert.equal(r.code, code, `luwak ${args.join(' ')}: ${r.code} ${r.out}${r.err}`)
  assert.equal(said.length, 1, r.err)
  assert.match(said[0], pattern)
}
function good (args, options) {
  const r = luwak(args, options)
  assert.equal(r.code, 0, `luwak ${args.join(' ')}: ${r.out}${r.err}`)
  return r.out
}

test('a data directory keeps to the data key that it was begun with', () => {
  const where = ['--data', join(temporary(), 'data'), '--root', root('scripts/api/ping.lua')]
  const tool = join(temporary(), 'tool.lua')
  writeFileSync(tool, 'return { api = 1, about = "x", args = {}, run = function() end }')
  good(['migrate', ...where], { env: sandbox })
  good(['verify', ...where.slice(0, 2)], { env: sandbox })
  for (const args of [['serve', ...LISTEN], ['run', tool], ['migrate'], ['merchant', 'list'], ['scripts', 'list']]) {
    refused(1, [...args, ...where], /: LUWAK_DATA_KEY is not the key that this data directory was begun with/, { env: { ...sandbox, LUWAK_DATA_KEY: OTHER } })
  }
  refused(1, ['verify', ...where.slice(0, 2)], /: LUWAK_DATA_KEY is not the key/, { env: { ...sandbox, LUWAK_DATA_KEY: OTHER } })
  refused(1, ['verify', ...where.slice(0, 2)], /: LUWAK_DATA_KEY is not set/)
  good(['merchant', 'list', ...where], { env: sandbox })
  // the same bytes, written otherwise, are the same key
  good(['merchant', 'list', ...where], { env: { ...sandbox, LUWAK_DATA_KEY: Buffer.from(KEY, 'hex').toString('base64') } })
})

test('who names another environment is refused, beside a server and without one', async () => {
  const copy = join(temporary(), 'copy.db')
  const s = await Server.start()
  const where = ['--data', s.data]
  const both = [...where, '--root', s.dir]
  const commands = [['grant', 'demo', '--yes', ...both], ['scripts', 'list', ...both], ['deploy', 'channels/demo_wallet.lua', ...both],
    ['merchant', 'list', ...both], ['backup', copy, ...where], ['verify', ...where]]
  const look = () => {
    for (const args of commands) refused(1, args, /belongs to simulated, not to production; name another with --data DIR$/, { env: production })
    assert.ok(!existsSync(copy))
  }
  look()
  assert.match(good(['scripts', 'list', ...both]), /^live/m) // names none: the server knows
  await s.stop()
  look()
  good(['verify', ...where])
})

test('what only looks makes no data directory; LUWAK_ENV that is not set is wrong use', () => {
  const cwd = temporary()
  const at = ['--root', root('scripts/api/ping.lua')]
  for (const args of [['scripts', 'list'], ['scripts', 'history', 'scripts/api/ping.lua'], ['scripts', 'diff', 'scripts/api/ping.lua'], ['grant'],
    ['merchant', 'list'], ['key', 'list', 'mer_x']]) {
    refused(1, [...args, '--simulated', ...at], /there is no database in .\/data; name its directory with --data/, { cwd })
  }
  for (const args of [['scripts', 'list'], ['grant'], ['deploy', 'x.lua'], ['merchant', 'list'], ['key', 'list', 'mer_x'], ['migrate'], ['serve', ...LISTEN]]) {
    refused(2, [...args, ...at], /LUWAK_ENV is not set/, { cwd })
  }
  assert.ok(!existsSync(join(cwd, 'data')))
})

test('a script that lacks its keys or its grants says so while it serves', async () => {
  let s = await Server.start({ simulated: false, env: sandbox })
  const list = env => good(['scripts', 'list', '--data', s.data, '--root', s.dir], { env })
  const warned = () => s.log.filter(l => l.event === 'script_lacks_config')
  await s.logged('script_lacks_config')
  assert.deepEqual(warned().map(l => [l.level, l.path, l.keys]), [['warn', 'channels/demo_wallet.lua', 'DEMO_KEY']])
  assert.match(list(sandbox), /^live .*channels\/demo_wallet.lua\n +\w+ lacks config: DEMO_KEY$/m)
  writeFileSync(join(s.dir, 'scripts/api/ping.lua'), 'return { api = 1, routes = {} }') // another's save is no news of it
  await s.logged('script_live')
  await s.stop()
  assert.equal(warned().length, 1)
  s = await Server.start({ simulated: false, env: { ...production, DEMO_KEY: 'k' } })
  const grant = (...args) => good(['grant', 'demo', ...args, '--data', s.data, '--root', s.dir], { env: production })
  grant('--yes')
  await until('going live', () => /^live .*demo_wallet.lua/m.test(list(production)))
  assert.doesNotMatch(list(production), /lacks/)
  grant('--revoke')
  assert.match(list(production), /^live .*demo_wallet.lua\n +\w+ lacks grants: luwak grant demo --host \S+ --key DEMO_KEY$/m)
  assert.equal(warned().length, 0)
  await s.stop()
})

test('grants: what is no host and no key is refused; what nobody asks for is noted', async () => {
  const s = await Server.start()
  const grant = (...args) => ['grant', 'demo', ...args, '--data', s.data, '--root', s.dir]
  for (const host of ['bad host', 'http://', 'a/b', 'x:0', '*.example']) refused(2, grant('--host', host), /host|port/)
  refused(2, grant('--key', 'demo key'), /"demo key": a key is capital letters/)
  assert.equal(good(grant('--host', 'other.example', '--key', 'DEMO_KEY')), 'note: no script of demo asks for the host other.example\ngranted\n')
  await s.stop()
})

test('/sandbox/NAME leads to its page in simulated mode; elsewhere there is nothing', async () => {
  let s = await Server.start()
  const moved = await s.get('/sandbox/demo')
  assert.deepEqual([moved.status, moved.headers.location], [308, '/sandbox/demo/'])
  assert.equal((await s.get('/sandbox/demo/')).status, 200)
  assert.equal((await s.get('/sandbox/nobody')).status, 404)
  const bad = await s.post('/sandbox/demo/_control', { nxt: 1 })
  assert.deepEqual([bad.status, bad.json().type], [400, '/docs/errors#INVALID_REQUEST'])
  for (const body of [{ advance: 5 }, { advance: 'soon' }]) {
    const clock = await s.post('/sandbox/_clock', body)
    assert.equal(clock.status, 400)
    assert.match(clock.json().detail, /^advance: .*"?24h|1h30m|5m/)
  }
  await s.stop()
  s = await Server.start({ simulated: false, env: { ...production, LUWAK_ENV: 'staging' } })
  for (const path of ['/sandbox/', '/sandbox/demo', '/sandbox/demo/', '/sandbox/demo/_control', '/sandbox/_clock', '/sandbox/%'])
    for (const method of ['GET', 'POST', 'OPTIONS', 'PUT']) assert.equal((await s.ask(method, path)).status, 404, `${method} ${path}`)
  await s.stop()
})

test('at the start: one line counts the scripts, and what to try comes last', async () => {
  const s = await Server.start()
  assert.equal(s.events('script_live').length, 0)
  assert.equal((await s.logged('scripts_live')).count, WALLET.filter(p => !p.includes('/lib/')).length)
  await until('the words', () => /Ctrl-C/.test(s.out))
  assert.match(s.out, /^listening on /)
  for (const word of ['/sandbox/midtrans/', '/sandbox/xendit/', '/sandbox/doku/', '/sandbox/demo/', '/sandbox/self/', 'sk_test_demo:', `http://${s.address}/v1/payments`]) assert.ok(s.out.includes(word), word)
  const page = (await s.get('/')).body
  for (const word of ['href="/sandbox/midtrans/"', 'href="/sandbox/xendit/"', 'href="/sandbox/doku/"', 'href="/sandbox/demo/"', 'href="/sandbox/self/"', 'sk_test_demo:', '/v1/payments', 'pre-wrap']) assert.ok(page.includes(word), word)
  writeFileSync(join(s.dir, 'scripts/api/ping.lua'), 'return { api = 1, routes = {} }')
  assert.equal((await s.logged('script_live')).level, 'info')
  await s.stop()
})

test('a port in use: nothing to open is shown, and make run has a word for it', async () => {
  const s = await Server.start()
  const r = luwak(['serve', '--simulated', '--listen', s.address, '--data', join(temporary(), 'data'), '--root', s.dir])
  assert.equal(r.code, 1)
  assert.equal(r.out, '')
  assert.match(r.err, /in use: .*make run LISTEN=127\.0\.0\.1:8081/)
  await s.stop()
  const help = spawnSync('make', ['help'], { cwd: ROOT, encoding: 'utf8' }).stdout
  assert.match(help, /make run .*LISTEN=.*DATA=/)
})

test('new: the root that every command finds, the path it wrote, what is there already', () => {
  const dir = temporary()
  const name = `t${process.pid}_va`
  mkdirSync(join(dir, 'channels'))
  assert.match(good(['new', 'channel', name], { cwd: dir }), new RegExp(`^\\S*channels/${name}.lua\n\\S*tests/lua/channels/${name}_test.lua\n`))
  assert.ok(existsSync(join(dir, 'channels', name + '.lua')))
  refused(1, ['new', 'channel', name], /channels\/\S+ exists: edit it, or choose another NAME$/, { cwd: dir })
  // from elsewhere: LUWAK_ROOT, as for the others; nothing in the folder itself
  const elsewhere = temporary()
  assert.match(good(['new', 'channel', 'x_va'], { cwd: elsewhere, env: { LUWAK_ROOT: dir } }), new RegExp(`^${dir}/channels/x_va.lua\n`))
  assert.ok(!existsSync(join(elsewhere, 'channels')))
})

test('a file that is missing is one line, of the example and of a new tool', () => {
  const dir = temporary()
  cpSync(join(ROOT, 'examples'), join(dir, 'examples'), { recursive: true })
  mkdirSync(join(dir, 'scripts'))
  good(['new', 'tool', 'sum'], { cwd: dir })
  for (const file of ['examples/import_phones.lua', 'scripts/tools/sum.lua'])
    refused(1, ['run', file, 'none.csv', '--simulated'], /^luwak run: csv: none.csv: No such file or directory$/, { cwd: dir })
})

test('history says which version serves, and in which zone it counts', async () => {
  const s = await Server.start()
  const history = () => good(['scripts', 'history', 'scripts/api/ping.lua', '--data', s.data, '--root', s.dir])
  writeFileSync(join(s.dir, 'scripts/api/ping.lua'), 'return { api = 1, routes = {} }')
  const { version } = await s.logged('script_live')
  const lines = history().trim().split('\n')
  const time = String.raw`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+07:00 +`
  assert.match(lines[0], new RegExp(`^${time}serves +${version.slice(0, 12)}$`))
  assert.match(lines[1], new RegExp(`^${time}was live +`))
  assert.equal(lines.length, 2)
  await s.stop()
})

test('small words: an empty folder, a file that is no script, --port', () => {
  const dir = temporary()
  refused(1, ['check', dir], /: no scripts here$/)
  refused(2, ['serve', '--port', '80'], /--listen HOST:PORT/)
  writeFileSync(join(dir, 'README.md'), '# A\n\nA payment engine\n')
  const r = luwak(['check', 'README.md'], { cwd: dir, env: { LUWAK_ROOT: root() } })
  assert.equal(r.code, 1)
  assert.match(r.out, /README.md:\d+: syntax error/)
})

test('config: a misspelt key of a provider and a certificate that is not there are said; what only who serves needs, by no other command', () => {
  const dir = root('channels/midtrans_bca_va.lua', 'scripts'), cwd = temporary()
  const at = ['--root', dir, '--data', join(cwd, 'data')]
  const config = env => {
    const r = luwak(['config', ...at], { cwd, env: { LUWAK_ENV: 'sandbox', LUWAK_DATA_KEY: KEY, ...env } })
    assert.doesNotMatch(r.out + r.err, /SB-Mid/)
    return [r.code, r.err]
  }
  assert.deepEqual(config({ MIDTRANS_SERVR_KEY: 'SB-Mid-x' }),
    [0, 'luwak config: warning: no script asks for MIDTRANS_SERVR_KEY; did you mean MIDTRANS_SERVER_KEY?\n'])
  assert.deepEqual(config({ MIDTRANS_SERVER_KEY: 'SB-Mid-x', MIDTRANS_CLIENT_KEY: 'SB-Mid-y' }), [0, ''])
  const [code, said] = config({ LUWAK_TLS_CERT: join(cwd, 'none.pem'), LUWAK_TLS_KEY: join(cwd, 'none.key') })
  assert.equal(code, 1)
  assert.match(said, /^luwak config: .*none\.pem.*\n$/)
  assert.deepEqual(config({ LUWAK_CA_FILE: '/nowhere.pem' }), [1, 'luwak config: LUWAK_CA_FILE: /nowhere.pem: cannot open: No such file or directory\n'])
  const { LUWAK_PUBLIC_URL, ...bare } = production
  assert.match(luwak(['config', ...at], { cwd, env: bare }).err, /warning: LUWAK_PUBLIC_URL is not set/)
  assert.equal(luwak(['migrate', ...at], { cwd, env: bare }).err, '')
  for (const args of [['scripts', 'list'], ['merchant', 'list']]) assert.doesNotMatch(luwak([...args, ...at], { cwd, env: bare }).err, /PUBLIC_URL/)
})
