// The life of a saved file while the server runs: its plays, queries, what is reported and where.
import { test } from 'node:test'
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { LUWAK, cleanEnv, luwak, temporary } from './luwak.mjs'
import { Server, root, until } from './server.mjs'

const PING = 'scripts/api/ping.lua'
function put (s, path, text) {
  mkdirSync(join(s.dir, path, '..'), { recursive: true })
  writeFileSync(join(s.dir, path), text)
}
// A command beside the server.
const go = (s, ...args) => luwak([...args, '--simulated', '--data', s.data, '--root', s.dir])
const list = s => go(s, 'scripts', 'list').out
const ping = word => `return { api = 1, routes = { ["GET /v1/ping"] = { auth = "none", run = function(req) return 200, { pong = "${word}" } end } } }\n`
const play = body => `return { tests = {\n  ["ping answers"] = function(t)\n    ${body}\n  end,\n} }\n`

test('staged: plays run before a version may be deployed, and hold nobody up', async () => {
  const s = await Server.start({ dir: root(PING), env: { LUWAK_SCRIPTS: 'staged', LUWAK_DATA_KEY: '' } })
  put(s, 'tests/lua/ping_test.lua', play('t.equal(1, 2)'))
  put(s, PING, ping('one'))
  const broken = await s.logged('script_broken')
  assert.match(broken.error, /^scripts\/api\/ping.lua: its plays fail: tests\/lua\/ping_test.lua:3: .*ping answers/)
  assert.match(list(s), /^broken .*\n +scripts\/api\/ping.lua: its plays fail: tests\/lua\/ping_test.lua:3/m)
  const refused = go(s, 'deploy', join(s.dir, PING))
  assert.equal(refused.code, 1)
  assert.match(refused.err, /not deployed: .*ping_test.lua:3/)
  // mended: its play counts long in a process of its own, requests are answered meanwhile
  put(s, 'tests/lua/ping_test.lua', play('local n = 0 for i = 1, 40000000 do n = n + i end t.equal(2, 2)'))
  await until('the plays', () => s.events('script_plays').length === 2)
  const deploying = spawn(LUWAK, ['deploy', join(s.dir, PING), '--simulated', '--data', s.data, '--root', s.dir], { env: cleanEnv() })
  let said = ''
  let over = false
  deploying.stdout.on('data', d => { said += d })
  deploying.on('close', () => { over = true })
  let answered = 0
  for (; !over; answered++) assert.equal((await s.get('/v1/ping')).status, 200)
  assert.equal(said, PING + ': live\n')
  assert.ok(answered > 10, `${answered} answers while it was played`)
  await until('the new version', async () => (await s.get('/v1/ping')).json().pong === 'one')
  // the end does not wait for a play
  put(s, 'tests/lua/ping_test.lua', play('while true do end'))
  put(s, PING, ping('two'))
  await until('the plays', () => s.events('script_plays').length === 3)
  const began = Date.now()
  await s.stop()
  assert.ok(Date.now() - began < 8000)
})

test('without a server, deploy runs the plays too', () => {
  const dir = root(PING)
  const data = join(temporary(), 'data')
  const env = { LUWAK_SCRIPTS: 'staged' }
  const alone = (...args) => luwak([...args, '--simulated', '--data', data, '--root', dir], { env })
  assert.equal(alone('scripts', 'list').code, 1) // there is no data yet, and who looks makes none
  assert.equal(alone('grant', 'nobody', '--host', 'x.example').code, 0) // the first start takes the folder as it is
  assert.match(alone('scripts', 'list').out, /^live/m)
  mkdirSync(join(dir, 'tests/plays'), { recursive: true })
  writeFileSync(join(dir, 'tests/plays/ping_test.lua'), play('t.fail("no")'))
  writeFileSync(join(dir, PING), ping('one'))
  // who only asks runs no play, however long it may be
  for (const asked of [['scripts', 'list'], ['scripts', 'history', join(dir, PING)], ['grant'], ['scripts', 'rollback', join(dir, PING), '--to', 'none']])
    assert.doesNotMatch(alone(...asked).err, /script_plays|its plays fail/, asked.join(' '))
  assert.match(alone('scripts', 'list').out, /^staged .*\n +\w+ waits, its tests not run: luwak deploy scripts\/api\/ping.lua$/m)
  assert.doesNotMatch(alone('scripts', 'history', join(dir, PING)).out, /staged/)
  const refused = alone('deploy', join(dir, PING))
  assert.match(refused.err, /its plays fail: tests\/plays\/ping_test.lua:3/)
  assert.equal(refused.code, 1)
  // whoever starts us may ignore SIGCHLD: how the plays ended is heard all the same
  const deaf = spawnSync('bash', ['-c', 'trap "" CHLD; exec "$0" "$@"', LUWAK, 'deploy', join(dir, PING), '--simulated', '--data', data, '--root', dir],
    { env: { ...cleanEnv(), ...env }, encoding: 'utf8' })
  assert.match(deaf.stderr, /its plays fail: tests\/plays\/ping_test.lua:3/)
  rmSync(join(dir, 'tests/plays/ping_test.lua'))
  const live = alone('deploy', join(dir, PING))
  assert.equal(live.out, PING + ': live\n', live.err)
})

test('queries are taken up within a second: new, changed; a broken one is told and the old one stays', async () => {
  const dir = root(PING)
  const sql = 'scripts/queries/jobs_one.sql'
  const s = { dir }
  put(s, 'scripts/queries/bad_from_the_start.sql', 'SELEC 1')
  put(s, 'scripts/api/ask.lua', `return { api = 1, routes = { ["GET /v1/ask/:name"] = { auth = "none", run = function(req)
    local rows = store.query(req.params.name)
    return 200, { n = rows[1].n }
  end } } }`)
  const server = await Server.start({ dir })
  const ask = async () => { const a = await server.get('/v1/ask/jobs_one'); return a.status === 200 ? a.json().n : a.status }
  assert.match(server.events('script_broken')[0].error, /^scripts\/queries\/bad_from_the_start.sql: .*syntax error/)
  assert.equal(await ask(), 500)
  put(server, sql, 'SELECT 1 AS n')
  await until('a new query', async () => await ask() === 1)
  put(server, sql, 'SELECT 2 AS n')
  await until('a changed query', async () => await ask() === 2)
  put(server, sql, 'SELECT 3 AS n FROM nowhere')
  const told = await server.logged('script_broken', l => l.path === sql)
  assert.match(told.error, /^scripts\/queries\/jobs_one.sql: .*no such table: nowhere/)
  assert.match(list(server), /^broken .*scripts\/queries\/jobs_one.sql\n.*no such table/m)
  assert.equal(await ask(), 2)
  put(server, sql, 'DELETE FROM job')
  await server.logged('script_broken', l => l.path === sql && /only SELECT/.test(l.error))
  assert.equal(await ask(), 2)
  put(server, sql, 'SELECT 4 AS n')
  await until('a mended query', async () => await ask() === 4)
  assert.doesNotMatch(list(server), /jobs_one/)
  await server.stop()
})

// ---- what scripts and tests are told ----

const makeRoot = files => {
  const dir = temporary()
  for (const [path, text] of Object.entries(files)) put({ dir }, path, text)
  return dir
}

test("a test's clock goes exactly as far as it is moved, however often a job takes its turn", () => {
  const dir = makeRoot({
    'scripts/jobs/many.lua': 'return { api = 1, every = "1h", kind = "repeatable", run = function(job) for i = 1, 1500 do engine.sleep("0s") end end }',
    'tests/lua/clock_test.lua': `return { tests = { exact = function(t)
      local began = t.clock.now()
      t.clock.advance("2h")
      t.equal(time.now() - began, 2 * 3600 * 1000)
    end } }`
  })
  const r = luwak(['test', '--root', dir])
  assert.match(r.out, /^1 passed, 0 failed$/m)
})

test('what is wrong carries its file and line, whatever was raised', () => {
  const table = /^(\S+:\d+): \(the error is a table value\)$/m
  const dir = makeRoot({
    'tests/lua/x_test.lua': '\nerror{}',
    'scripts/migrations/0001_a.lua': 'return { up = function(db)\n  error{}\nend }',
    'scripts/api/a.lua': '\n\nerror{}',
    'scripts/api/b.lua': '\nlocal t = setmetatable({}, { __concat = function(a, b) return a .. b end })\nreturn t .. "x"'
  })
  const run = (...args) => luwak([...args, '--root', dir], { cwd: dir })
  assert.equal(table.exec(run('test').out.replace(/^ +/mg, ''))[1], 'tests/lua/x_test.lua:2')
  const checked = run('check').out
  assert.match(checked, /^scripts\/api\/a.lua:3: \(the error is a table value\)$/m)
  assert.match(checked, /^scripts\/api\/b.lua:2: C stack overflow$/m)
  assert.match(run('migrate', '--simulated').err, /0001_a.lua:2: \(the error is a table value\)$/m)
})

test('a file name that is not UTF-8 is called that', async () => {
  const dir = root(PING)
  writeFileSync(Buffer.concat([Buffer.from(join(dir, 'scripts/api/b')), Buffer.from([0xff]), Buffer.from('.lua')]), ping('x'))
  const s = await Server.start({ dir })
  assert.match((await s.logged('script_broken')).error, /scripts\/api\/b.*: the file's name is not UTF-8: rename it/)
  assert.equal((await s.get('/v1/ping')).status, 200)
  await s.stop()
})

test("what has a script's name but is no file is told, and holds nobody up", () => {
  const dir = makeRoot({ 'channels/keep.txt': '' })
  symlinkSync('loop_va.lua', join(dir, 'channels/loop_va.lua'))
  symlinkSync('/dev/zero', join(dir, 'channels/zero_va.lua'))
  const r = luwak(['check', '--root', dir])
  assert.equal(r.code, 1)
  assert.match(r.out, /^channels\/loop_va.lua: cannot open: Too many levels of symbolic links\nchannels\/zero_va.lua: is no regular file\n/)
})

test('serve says what its root lacks; the first page names the address it was asked at', async () => {
  const dir = temporary()
  mkdirSync(join(dir, 'scripts'))
  const s = await Server.start({ dir })
  assert.equal((await s.logged('root_incomplete')).missing, 'channels/')
  const page = async headers => (await s.get('/', { headers })).body
  assert.match(await page({ host: 'shop.example:8443' }), /http:\/\/shop.example:8443\/v1\/payments/)
  assert.doesNotMatch(await page({ host: "a'b&c" }), /'b&c/)
  assert.doesNotMatch(await page({}), /127.0.0.1:8080/)
  await s.stop()
  const proxied = await Server.start({ env: { LUWAK_PUBLIC_URL: 'https://pay.example' } })
  assert.match((await proxied.get('/')).body, /https:\/\/pay.example\/sandbox\/_clock/)
  assert.equal(proxied.events('root_incomplete').length, 0)
  await proxied.stop()
})

test('verify: a file that is no database, and what to do', () => {
  const dir = temporary()
  writeFileSync(join(dir, 'x.db'), 'hello, this is a letter and no database at all\n'.repeat(100))
  const r = luwak(['verify', 'x.db'], { cwd: dir })
  assert.equal(r.code, 1)
  assert.equal(r.err, 'luwak verify: x.db: is no database of Luwak\'s: name a copy that `luwak backup` made\n')
})
