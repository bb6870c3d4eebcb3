// run, check, test, migrate, backup, verify, scripts, deploy, grant: alone and beside a live server.
import { test } from 'node:test'
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createServer } from 'node:net'
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { LUWAK, ROOT, cleanEnv, luwak, temporary } from './luwak.mjs'

const KEY = '0123456789abcdef'.repeat(4)

// A root of its own with the shipped scripts.
function root () {
  const dir = temporary()
  for (const d of ['channels', 'scripts', 'examples']) cpSync(join(ROOT, d), join(dir, d), { recursive: true })
  return dir
}
function put (dir, path, text) {
  mkdirSync(join(dir, path, '..'), { recursive: true })
  writeFileSync(join(dir, path), text)
}
function good (args, options) {
  const r = luwak(args, options)
  assert.equal(r.code, 0, `luwak ${args.join(' ')}: ${r.out}${r.err}`)
  return r.out
}
function bad (code, args, pattern, options) {
  const r = luwak(args, options)
  const said = `luwak ${args.join(' ')}: exit ${r.code}, ${JSON.stringify(r.err)}`
  assert.equal(r.code, code, said)
  assert.match(r.err, /^luwak[^\n]*\n$/, said)
  assert.match(r.err, pattern, said)
  return r
}

// Starts a server and ends it with the test.
async function serve (t, dir, { args = ['--simulated'], env = {}, data = 'data' } = {}) {
  const child = spawn(LUWAK, ['serve', '--listen', '127.0.0.1:0', '--data', data, ...args], { cwd: dir, env: cleanEnv(env) })
  const s = { child, err: '', url: '' }
  s.ended = new Promise(resolve => child.on('exit', (code, signal) => resolve(code ?? signal)))
  child.stderr.on('data', d => { s.err += d })
  await new Promise((resolve, reject) => {
    let out = ''
    child.stdout.on('data', d => {
      out += d
      const m = /listening on (\S+)/.exec(out)
      if (m) { s.url = 'http://' + m[1]; resolve() }
    })
    s.ended.then(code => reject(new Error(`serve ended (${code}): ${s.err}`)))
  }).catch(e => { throw e })
  s.stop = () => { child.kill('SIGTERM'); return s.ended }
  t.after(() => { child.kill('SIGKILL') })
  return s
}
async function until (what, f) {
  const end = Date.now() + 15000
  for (;;) {
    const v = await f()
    if (v) return v
    if (Date.now() > end) assert.fail(`not within 15 s: ${what}`)
    await new Promise(resolve => setTimeout(resolve, 50))
  }
}

// ---- run ----

const SUM = `return { api = 1, about = "Adds.", args = { { "a", "int" }, { "b", "int", default = 2 }, { "loud", "flag" } },
  run = function(args, say)
    say("sum " .. args.a + args.b)
    print(args.loud)
    for i = 1, 20 do say.progress(i, 20) end
  end }`

test('run: arguments, help, what goes where', () => {
  const dir = root()
  put(dir, 'sum.lua', SUM)
  const go = (...args) => luwak(['run', 'sum.lua', ...args, '--simulated'], { cwd: dir })
  let r = go('40')
  assert.deepEqual([r.code, r.out], [0, 'sum 42\nfalse\n'])
  assert.equal(r.err.split('\n')[4], '10 of 20')
  r = go('--a=1', '--loud', '10')
  assert.deepEqual([r.code, r.out], [0, 'sum 11\ntrue\n'])
  assert.match(good(['run', 'sum.lua', '--help'], { cwd: dir }), /^luwak run sum.lua a \[b\] \[--loud\]\n\nAdds\./)
  bad(2, ['run', 'sum.lua', '--simulated'], /a is missing/, { cwd: dir })
  bad(2, ['run', 'sum.lua', 'x', '--simulated'], /a: x is no whole number/, { cwd: dir })
  bad(2, ['run', 'sum.lua', '1', '2', '3', '--simulated'], /3 is one argument too many/, { cwd: dir })
  bad(2, ['run', 'sum.lua', '1', '--lod', '--simulated'], /did you mean --loud/, { cwd: dir })
  bad(1, ['run', 'nowhere.lua'], /nowhere.lua: No such file/, { cwd: dir })
  bad(2, ['run', 'sum.lua', '1'], /LUWAK_ENV/, { cwd: dir })
  for (const [file, what] of [['channels/demo_wallet.lua', 'a channel'], ['scripts/api/ping.lua', 'an API script']])
    bad(1, ['run', file, '--simulated'], new RegExp(`${file} is no tool: it is ${what}`), { cwd: dir })
})

test('run: an error is a traceback with file and line, and exit 1', () => {
  const dir = root()
  put(dir, 'boom.lua', 'return { api = 1, about = "x", run = function()\n  local a = nil\n  return a.b\nend }')
  const r = luwak(['run', join(dir, 'boom.lua'), '--simulated'], { cwd: dir })
  assert.equal(r.code, 1)
  assert.match(r.err, /boom.lua:3: attempt to index a nil value[^\n]*\nstack traceback:/)
})

test('run: the example imports, again, and dry', () => {
  const dir = root()
  const args = ['run', 'examples/import_phones.lua', 'examples/phones.csv', '--simulated', '--data', 'data']
  let r = luwak([...args, '--dry-run'], { cwd: dir })
  assert.equal(r.code, 0, r.err)
  assert.match(r.out, /120 rows: 118 stored, 0 known already, 2 left out\n$/)
  assert.match(r.err, /dry run: nothing was changed/)
  assert.ok(!existsSync(join(dir, 'data')), 'a dry run makes no data directory')
  assert.match(good(args, { cwd: dir }), /118 stored, 0 known already/)
  assert.match(good([...args, '--dry-run', '--limit', '10'], { cwd: dir }), /10 rows: 0 stored, 10 known already/)
  assert.match(good(args, { cwd: dir }), /0 stored, 118 known already/)
  r = luwak(['run', 'examples/import_phones.lua', 'gone.csv', '--simulated'], { cwd: dir })
  assert.equal(r.code, 1)
  assert.match(r.err, /^luwak run: csv: gone.csv: No such file or directory\n$/)
})

test('run --dry-run: requests are shown, not sent; questions are asked', () => {
  const dir = root()
  put(dir, 'pay.lua', `return { api = 1, about = "x", run = function(args, say)
    local op = core.operation.create { channel = "demo_wallet", reference = "dry-1", input = { amount = 5000, phone = "081234567890" } }
    say(op.status)
  end }`)
  const args = ['run', 'pay.lua', '--simulated']
  const dry = good([...args, '--dry-run'], { cwd: dir })
  assert.match(dry, /would send: POST https:\/\/api.demo-wallet.example\/v1\/charges\n/)
  assert.match(dry, /unknown|failed/)
  assert.equal(good(args, { cwd: dir }), 'success\n')
})

test('run --record writes what t.http.replay reads', () => {
  const dir = root()
  put(dir, 'pay.lua', `return { api = 1, about = "x", run = function(args, say)
    core.operation.create { channel = "demo_wallet", reference = "rec-9", input = { amount = 5000, phone = "081234567890" } }
  end }`)
  good(['run', 'pay.lua', '--simulated', '--record', 'tape.txt'], { cwd: dir })
  assert.match(readFileSync(join(dir, 'tape.txt'), 'utf8'), /^> POST https:\/\/api.demo-wallet.example\/v1\/charges$/m)
  put(dir, 'tests/lua/tape_test.lua', `return { tests = { tape = function(t)
    t.http.replay "tape.txt"
    local d = t.call("channels/demo_wallet.lua", "create", { reference = "rec-9", input = { amount = 5000, phone = "081234567890" } })
    t.equal(t.kind(d), "success")
    t.equal(t.kind(t.call("channels/demo_wallet.lua", "inquire", { reference = "other" })), "unknown")
  end } }`)
  const r = luwak(['test', 'tests/lua/tape_test.lua'], { cwd: dir })
  assert.equal(r.code, 1)
  assert.match(r.out, /not in the recording: [^\n]*GET https:\/\/api.demo-wallet.example\/v1\/charges\/other/)
})

test('run: Ctrl-C ends it', async () => {
  const dir = root()
  put(dir, 'slow.lua', 'return { api = 1, about = "x", run = function() print "on" engine.sleep "60s" end }')
  const child = spawn(LUWAK, ['run', 'slow.lua', '--simulated'], { cwd: dir, env: cleanEnv() })
  let out = '', err = ''
  child.stdout.on('data', d => { out += d })
  child.stderr.on('data', d => { err += d })
  const ended = new Promise(resolve => child.on('exit', resolve))
  await until('the script', () => out === 'on\n')
  child.kill('SIGINT')
  assert.equal(await ended, 130)
  assert.match(err, /^luwak run: interrupted\n/)
})

// ---- check and test ----

test('check: good, bad, json, missing configuration', () => {
  const dir = root()
  const told = good(['check'], { cwd: dir })
  const notes = told.split('\n').filter(line => / note: config\.\w+: \w+ is not set/.test(line))
  assert.match(told, /^channels\/demo_wallet.lua: note: config.key: DEMO_KEY is not set/m)
  assert.match(told, new RegExp(`\\n\\d+ scripts checked, 0 found, ${notes.length} noted; LUWAK_ENV is not set: all but simulated needs these keys\\n$`))
  assert.match(good(['check', '--simulated'], { cwd: dir }), /^\d+ scripts checked, 0 found; simulated: no key is needed\n$/)
  const keys = Object.fromEntries(notes.map(line => [line.match(/: (\w+) is not set/)[1], 'k']))
  assert.match(good(['check'], { cwd: dir, env: keys }), /^\d+ scripts checked, 0 found\n$/)
  put(dir, 'channels/broken_x.lua', 'return {\n  api = 1,,\n}')
  put(dir, 'scripts/tools/t.lua', 'return { api = 1, about = "x", run = function()\n  return jsn.decode("1")\nend }')
  let r = luwak(['check'], { cwd: dir })
  assert.equal(r.code, 1)
  assert.match(r.out, /^channels\/broken_x.lua:2: /m)
  assert.match(r.out, /^scripts\/tools\/t.lua:2: there is no global jsn; did you mean json\?$/m)
  r = luwak(['check', '--json', 'scripts/tools/t.lua'], { cwd: dir })
  assert.deepEqual(Object.keys(JSON.parse(r.out.trim())), ['path', 'line', 'text'])
  assert.equal(JSON.parse(r.out).line, 2)
  r = luwak(['check', 'channels/demo_wallet.lua'], { cwd: dir, env: { LUWAK_ENV: 'sandbox', LUWAK_DATA_KEY: KEY } })
  assert.equal(r.code, 1)
  assert.match(r.out, /DEMO_KEY is not set/)
  bad(1, ['check', 'nope.lua'], /nope.lua: No such file/, { cwd: dir })
})

test('what `luwak new` writes passes check and test', () => {
  const dir = temporary()
  for (const kind of ['channel', 'rule', 'biller', 'tool']) good(['new', kind, 'acme_va', '--root', '.'], { cwd: dir })
  assert.match(good(['check'], { cwd: dir }), /8 scripts checked, 0 found/)
  assert.match(good(['test'], { cwd: dir }), /^7 passed, 0 failed$/m)
})

test('test: a failure names file, line, test, values, and how to run it alone', () => {
  const dir = root()
  put(dir, 'tests/lua/bad_test.lua', `return { tests = {
  ["sums"] = function(t) t.equal(1 + 1, 3, "sum") end,
  ["tables"] = function(t) t.equal({ a = 1, b = { 2 } }, { a = 1, b = { 3 } }) end,
  ["raises"] = function() error "boom" end,
  ["unused"] = function(t) t.http.answer { url = "/never" } end,
  ["waits for ever"] = function() while true do engine.sleep("1h") end end,
  ["good"] = function(t) t.truthy(true) end,
} }`)
  const r = luwak(['test', 'tests/lua/bad_test.lua'], { cwd: dir })
  assert.equal(r.code, 1)
  assert.match(r.out, /FAIL tests\/lua\/bad_test.lua: sums\n +tests\/lua\/bad_test.lua:2: sum: expected 3, got 2\n +alone: luwak test tests\/lua\/bad_test.lua --filter 'sums'/)
  assert.match(r.out, /\n +- +3,\n +\+ +2,\n/)
  assert.match(r.out, /bad_test.lua:4: boom\n +stack traceback/)
  assert.match(r.out, /answer\(s\) nobody asked for, the first: any \/never/)
  assert.match(r.out, /waits for ever\n +budget: the deadline/)
  assert.match(r.out, /^1 passed, 5 failed\n$/m)
  assert.match(good(['test', 'tests/lua/bad_test.lua', '--filter', 'good'], { cwd: dir }), /^1 passed, 0 failed$/m)
  bad(1, ['test', 'tests/lua/none.lua'], /No such file/, { cwd: dir })
  bad(1, ['test', '--filter', 'zzz'], /no test found by this --filter/, { cwd: dir })
  bad(2, ['test', '--seed', 'x'], /--seed x/, { cwd: dir })
  put(dir, 'tests/lua/shape_test.lua', 'return { }')
  assert.match(luwak(['test', 'tests/lua/shape_test.lua'], { cwd: dir }).out, /a test file returns/)
})

// ---- the data ----

test('migrate: SQL and Lua steps, each once; a broken one changes nothing', () => {
  const dir = root()
  const migrate = ['migrate', '--simulated', '--data', 'data']
  put(dir, 'scripts/migrations/0001_terminals.sql', 'CREATE TABLE terminal (id TEXT PRIMARY KEY, city TEXT) STRICT;')
  put(dir, 'scripts/migrations/0002_fill.lua', `return { up = function(db)
    db.exec "INSERT INTO terminal VALUES ('t1', 'Bandung'), ('t2', 'Medan')"
    local rows = db.select("SELECT id FROM terminal WHERE city = ?1", "Medan")
    assert(#rows == 1 and rows[1].id == "t2")
  end }`)
  assert.match(good([...migrate, '--dry-run'], { cwd: dir }), /on a copy; nothing was changed/)
  assert.ok(!existsSync(join(dir, 'data/luwak.db')))
  good(migrate, { cwd: dir })
  good(migrate, { cwd: dir })
  put(dir, 'count.lua', 'return { api = 1, about = "x", run = function(a, say) say(#store.select("SELECT * FROM terminal")) end }')
  assert.equal(good(['run', 'count.lua', '--simulated'], { cwd: dir }), '2\n')
  put(dir, 'scripts/migrations/0003_wrong.lua', 'return { up = function(db)\n  db.exec "DELETE FROM terminal"\n  error "no"\nend }')
  bad(1, migrate, /0003_wrong.lua:3: no/, { cwd: dir })
  bad(1, [...migrate, '--dry-run'], /0003_wrong.lua:3: no/, { cwd: dir })
  rmSync(join(dir, 'scripts/migrations/0003_wrong.lua'))
  assert.equal(good(['run', 'count.lua', '--simulated'], { cwd: dir }), '2\n')
  put(dir, 'scripts/migrations/0002_fill.lua', 'return { up = function(db) end }')
  bad(1, migrate, /was changed after it was applied/, { cwd: dir })
})

test('a database that has become an empty file is no new one', () => {
  const dir = root()
  writeFileSync(join(dir, 'empty.db'), '')
  mkdirSync(join(dir, 'data'))
  writeFileSync(join(dir, 'data/luwak.db'), '') // made, and then it died: it begins
  good(['migrate', '--simulated'], { cwd: dir })
  good(['verify'], { cwd: dir })
  writeFileSync(join(dir, 'data/luwak.db'), '')
  for (const args of [['verify'], ['serve', '--simulated', '--listen', '127.0.0.1:0'], ['migrate', '--simulated'], ['backup', 'b.db']])
    bad(1, args, /luwak\.db in .*data is empty, and the directory is not new: put a backup in its place, or remove the file/, { cwd: dir })
  rmSync(join(dir, 'data/luwak.db'))
  good(['migrate', '--simulated'], { cwd: dir })
})

test('backup and verify: good, missing, existing, damaged', () => {
  const dir = root()
  bad(1, ['backup', 'b.db'], /there is no database in/, { cwd: dir })
  bad(1, ['verify'], /there is no database in/, { cwd: dir })
  good(['migrate', '--simulated'], { cwd: dir })
  assert.match(good(['backup', 'b.db'], { cwd: dir }), /^b.db: \d+ bytes, checked\n$/)
  bad(1, ['backup', 'b.db'], /b.db exists/, { cwd: dir })
  bad(1, ['backup', 'no/such/folder/b.db'], /no\/such\/folder: No such file/, { cwd: dir })
  assert.match(good(['verify'], { cwd: dir }), /^ok +the file is whole$/m)
  assert.match(good(['verify', 'b.db'], { cwd: dir }), /^ok +the file is whole$/m)
  bad(1, ['verify', 'gone.db'], /gone.db: No such file/, { cwd: dir })
  const bytes = readFileSync(join(dir, 'b.db'))
  bytes.fill(0x5a, 8192, 20480)
  writeFileSync(join(dir, 'hurt.db'), bytes)
  const r = luwak(['verify', 'hurt.db'], { cwd: dir })
  assert.equal(r.code, 1)
  assert.match(r.out + r.err, /BAD|damaged|malformed/)
  writeFileSync(join(dir, 'data/luwak.db'), bytes)
  bad(1, ['serve', '--simulated', '--listen', '127.0.0.1:0'], /luwak.db is damaged [^\n]*restore a backup/, { cwd: dir })
  bad(1, ['run', 'examples/import_phones.lua', 'examples/phones.csv', '--simulated'], /luwak.db is damaged/, { cwd: dir })
  truncateSync(join(dir, 'hurt.db'), 100)
  assert.equal(luwak(['verify', 'hurt.db'], { cwd: dir }).code, 1)
})

test('a first start that was cut short is no damage, and the next one makes the rest', () => {
  const dir = root()
  for (const step of [1, 2]) {
    const cut = luwak(['migrate', '--simulated'], { cwd: dir, env: { LUWAK_FAULT: 'store.migrate=kill' } })
    assert.equal(cut.signal, 'SIGKILL')
    const said = good(['verify'], { cwd: dir, env: { LUWAK_ENV: 'simulated' } })
    assert.equal(/nothing is in it/.test(said), step === 1, said)
    if (step === 1) luwak(['migrate', '--simulated'], { cwd: dir, env: { LUWAK_FAULT: 'store.migrate=kill@2' } })
  }
  good(['migrate', '--simulated'], { cwd: dir })
  assert.match(good(['verify'], { cwd: dir }), /^ok +events are gapless/m)
})

test('a data directory of another environment is refused', () => {
  const dir = root()
  good(['migrate', '--simulated'], { cwd: dir })
  const env = { LUWAK_ENV: 'sandbox', LUWAK_DATA_KEY: KEY }
  for (const args of [['migrate'], ['run', 'examples/import_phones.lua', 'examples/phones.csv'], ['scripts', 'list'], ['serve', '--listen', '127.0.0.1:0']]) {
    bad(1, args, /this data directory belongs to simulated, not to sandbox/, { cwd: dir, env })
  }
})

test('serve: a port in use', async t => {
  const dir = root()
  const taken = createServer().listen(0, '127.0.0.1')
  await new Promise(resolve => taken.on('listening', resolve))
  t.after(() => taken.close())
  bad(1, ['serve', '--simulated', '--listen', `127.0.0.1:${taken.address().port}`], /in use/, { cwd: dir })
})

// ---- beside a live server ----

test('beside a live server: run, backup, verify, migrate, scripts; the socket is private', async t => {
  const dir = root()
  const s = await serve(t, dir)
  assert.equal(statSync(join(dir, 'data/control.sock')).mode & 0o777, 0o600)
  const where = ['--simulated', '--data', 'data']
  assert.match(good(['run', 'examples/import_phones.lua', 'examples/phones.csv', ...where], { cwd: dir }), /118 stored/)
  assert.match(good(['run', 'examples/import_phones.lua', 'examples/phones.csv', '--dry-run', ...where], { cwd: dir }), /0 stored, 118 known already/)
  assert.match(good(['backup', 'live.db', '--data', 'data'], { cwd: dir }), /checked/)
  assert.match(good(['verify', '--data', 'data'], { cwd: dir }), /^ok/m)
  good(['verify', 'live.db'], { cwd: dir })
  bad(1, ['migrate', ...where], /a server runs on data: stop it, then migrate/, { cwd: dir })
  bad(1, ['serve', '--listen', '127.0.0.1:0', ...where], /data is in use by process \d+/, { cwd: dir })

  assert.match(good(['scripts', 'list', ...where], { cwd: dir }), /^live +[0-9a-f]{12} scripts\/api\/ping.lua$/m)
  bad(1, ['scripts', 'history', 'scripts/api/none.lua', ...where], /there is no such script/, { cwd: dir })
  bad(2, ['scripts', 'history', ...where], /FILE is missing/, { cwd: dir })
  for (const args of [['scripts', 'rollback'], ['deploy'], ['scripts', 'diff']])
    for (const none of ['channels/nope.lua', 'nope']) bad(1, [...args, none, ...where], new RegExp(`${none}: there is no such script`), { cwd: dir })
  const ping = 'scripts/api/ping.lua'
  const first = readFileSync(join(dir, ping), 'utf8')
  put(dir, ping, first.replace('pong = true', 'pong = "two"'))
  await until('the new version', async () => (await (await fetch(s.url + '/v1/ping')).json()).pong === 'two')
  assert.equal(good(['scripts', 'history', ping, ...where], { cwd: dir }).trim().split('\n').length, 2)
  put(dir, ping, first.replace('pong = true', 'pong = "three"').replace('return {', 'return {{'))
  await until('the broken one', () => /^broken/m.test(good(['scripts', 'list', ...where], { cwd: dir })))
  assert.match(good(['scripts', 'diff', ping, ...where], { cwd: dir }), /^\+.*pong = "three"/m)
  good(['scripts', 'rollback', ping, ...where], { cwd: dir })
  assert.equal(readFileSync(join(dir, ping), 'utf8'), first)
  await until('the first version', async () => (await (await fetch(s.url + '/v1/ping')).json()).pong === true)

  assert.equal(await s.stop(), 0)
  assert.ok(!readdirSync(join(dir, 'data')).includes('control.sock'))
  assert.match(good(['scripts', 'history', ping, ...where], { cwd: dir }), /live/)
})

test('a socket left behind by a crash is no server', async t => {
  const dir = root()
  const s = await serve(t, dir)
  s.child.kill('SIGKILL')
  await s.ended
  assert.ok(existsSync(join(dir, 'data/control.sock')))
  good(['verify'], { cwd: dir })
  good(['migrate', '--simulated'], { cwd: dir })
  const again = await serve(t, dir)
  assert.match(good(['scripts', 'list', '--simulated'], { cwd: dir }), /live/)
  assert.equal(await again.stop(), 0)
})

test('staged: a save waits for deploy', async t => {
  const dir = root()
  const env = { LUWAK_SCRIPTS: 'staged' }
  const s = await serve(t, dir, { env })
  const ping = 'scripts/api/ping.lua'
  put(dir, ping, readFileSync(join(dir, ping), 'utf8').replace('pong = true', 'pong = "new"'))
  await until('staging', () => /waits: luwak deploy/.test(good(['scripts', 'list', '--simulated'], { cwd: dir })))
  assert.equal((await (await fetch(s.url + '/v1/ping')).json()).pong, true)
  assert.equal(good(['deploy', './' + ping, '--simulated'], { cwd: dir }), ping + ': live\n')
  await until('the new version', async () => (await (await fetch(s.url + '/v1/ping')).json()).pong === 'new')
  bad(1, ['deploy', ping, '--simulated'], /nothing waits to be deployed/, { cwd: dir })
  bad(1, ['deploy', 'channels/none.lua', '--simulated'], /there is no such script/, { cwd: dir })
  assert.equal(await s.stop(), 0)
})

test('grant: in production a provider has what it was granted', async t => {
  const dir = root()
  const env = { LUWAK_ENV: 'production', LUWAK_DATA_KEY: KEY, LUWAK_SCRIPTS: 'auto', LUWAK_PUBLIC_URL: 'https://pay.example', DEMO_KEY: 'k' }
  put(dir, 'channels/demo_wallet.lua', readFileSync(join(dir, 'channels/demo_wallet.lua'), 'utf8')
    .replaceAll('api.demo-wallet.example', '127.0.0.1'))
  const open = readFileSync(join(dir, 'scripts/api/operations.lua'), 'utf8')
  const s = await serve(t, dir, { args: [], env })
  assert.equal((await fetch(s.url + '/v1/operations/op_x')).status, 404, 'nobody unknown asks a channel for anything here')
  put(dir, 'scripts/api/operations.lua', open.replaceAll('auth = "simulated"', 'auth = "none"'))
  await until('the open route', async () => (await (await fetch(s.url + '/v1/operations', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' })).json()).param === 'channel')
  const go = (...args) => luwak(['grant', ...args], { cwd: dir, env })
  const pay = async reference => {
    const answer = await fetch(s.url + '/v1/operations', {
      method: 'POST', headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ channel: 'demo_wallet', reference, input: { amount: 5000, phone: '081234567890' } })
    })
    return JSON.stringify(await answer.json())
  }
  assert.match(go('demo').out, /host +127.0.0.1 +asked for, not granted\n.*key +DEMO_KEY +asked for, not granted\n/)
  const list = () => good(['scripts', 'list'], { cwd: dir, env })
  assert.match(s.err, /script_held.*demo_wallet.*luwak grant demo --host 127.0.0.1 --key DEMO_KEY/) // at the first start too
  assert.match(list(), /^held +- +channels\/demo_wallet.lua\n.* lacks grants: luwak grant demo --host 127.0.0.1 --key DEMO_KEY$/m)
  assert.match(await pay('g1'), /demo_wallet/) // there is no such channel
  assert.equal(go('demo', '--key', 'DEMO_KEY').code, 0)
  assert.match(list(), /lacks grants: luwak grant demo --host 127.0.0.1$/m)
  assert.equal(go('demo', '--host', '127.0.0.1,other.example').code, 0)
  await until('going live', () => /^live .*channels\/demo_wallet.lua/m.test(list()))
  assert.match(await pay('g3'), /127.0.0.1 is not allowed|denied/) // a loopback address needs a network
  assert.equal(go('demo', '--network', '10.0.0.0/8').code, 0)
  assert.match(await pay('g4'), /127.0.0.1 is not allowed|denied/)
  assert.equal(go('demo', '--network', '127.0.0.0/8').code, 0)
  assert.doesNotMatch(await pay('g5'), /is not allowed|denied/)
  bad(2, ['grant', 'demo', '--network', '10.0.0.1/8'], /10.0.0/, { cwd: dir, env })
  assert.match(go('demo').out, /host +127.0.0.1 +granted\n/)
  assert.match(go('demo').out, /host +other.example +granted, not asked for\n/)
  const channel = readFileSync(join(dir, 'channels/demo_wallet.lua'), 'utf8')
  put(dir, 'channels/demo_wallet.lua', channel.replaceAll('127.0.0.1', 'next.example')) // asks for another host
  await until('holding', () => /^held .*channels\/demo_wallet.lua\n.*luwak grant demo --host next.example$/m.test(list()))
  assert.doesNotMatch(await pay('g6'), /next.example|is not allowed|denied/) // the old one serves
  put(dir, 'channels/demo_wallet.lua', channel)
  await until('taking back', () => /^live .*channels\/demo_wallet.lua/m.test(list()))
  // taken back, it is gone for the next call of the running server: a part, then all
  assert.equal(go('demo', '--revoke', '--network', '127.0.0.0/8').code, 0)
  assert.match(await pay('g7'), /127.0.0.1 is not allowed|denied/)
  assert.match(go('demo').out, /key +DEMO_KEY +granted\n/)
  const refusals = () => (s.err.match(/DEMO_KEY is not granted to demo/g) ?? []).length
  const before = refusals()
  assert.equal(go('demo', '--revoke').code, 0)
  assert.match(go('demo').out, /asked for, not granted/)
  await pay('g8')
  await until('the refusal in the log', () => refusals() > before)
  bad(1, ['grant', 'demo', '--revoke'], /nothing is granted/, { cwd: dir, env })
  bad(2, ['grant', 'demo', '--yes', '--host', 'x'], /--yes grants all/, { cwd: dir, env })
  bad(1, ['grant', 'nobody'], /no script of this provider/, { cwd: dir, env })
  assert.equal(await s.stop(), 0)
  assert.match(go('demo').out, /asked for, not granted/)
})

test('simulate: a seed is a story, told again the same; what cannot be run is said', () => {
  const at = { cwd: ROOT, timeout: 240000 } // a sanitizer takes its time
  const r = good(['simulate', '--seed', '11', '--count', '2', '--steps', '60'], at)
  const line = /^seed (11|12): good, \d+ operations, \d+ effects, \d+ payments by \d+ channels, \d+ paid, \d+ refunded, \d+ taken back, \d+ told in vain, \d+ crashes, story [0-9a-f]{16}$/
  const lines = r.trim().split('\n')
  assert.equal(lines.length, 2)
  for (const l of lines) assert.match(l, line)
  const told = good(['simulate', '--seed', '11', '--steps', '60', '--story'], at).trim().split('\n')
  assert.equal(told.at(-1), lines[0])
  assert.ok(told.length > 60)
  bad(2, ['simulate', '--seed', '-1'], /--seed -1: must be a whole number/, at)
  bad(2, ['simulate', '--steps', '0'], /a whole number from 1/, at)
  bad(1, ['simulate', '--root', '/nowhere'], /nowhere/, { cwd: temporary() })
})
