// luwak serve as an operator meets it: sockets, signals, TLS, the data directory, the pages of its own.
import { test } from 'node:test'
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import https from 'node:https'
import http from 'node:http'
import net from 'node:net'
import { join } from 'node:path'
import tls from 'node:tls'
import { LUWAK, cleanEnv, luwak, temporary } from './luwak.mjs'
import { Server, WALLET, root, sleep, until } from './server.mjs'

const SLOW = `return { api = 1, routes = {
  ["GET /v1/slow/:ms"] = { auth = "none", run = function(req) engine.sleep(req.params.ms .. "ms") return 200, { slept = true } end },
} }
`
function slowRoot () {
  const dir = root(...WALLET)
  writeFileSync(join(dir, 'scripts/api/slow.lua'), SLOW)
  return dir
}

// A raw connection: what came, and whether it ended.
function connect (port, bytes) {
  const c = { got: '', closed: false, socket: net.connect(port, '127.0.0.1') }
  c.socket.on('data', d => { c.got += d })
  c.socket.on('close', () => { c.closed = true })
  c.socket.on('error', e => { c.error = e; c.closed = true })
  if (bytes) c.socket.write(bytes)
  return c
}

function certificate (dir, name) {
  const key = join(dir, `${name}.key`)
  const cert = join(dir, `${name}.pem`)
  const r = spawnSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', key, '-out', cert, '-days', '2', '-subj', `/CN=${name}`, '-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost'], { encoding: 'utf8' })
  assert.equal(r.status, 0, r.stderr)
  return { key, cert }
}

const peerName = port => new Promise((resolve, reject) => {
  const s = tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false }, () => {
    resolve(s.getPeerCertificate().subject.CN)
    s.destroy()
  })
  s.on('error', reject)
})

test('ready when it says so: pages and routes answer at once', async () => {
  for (let i = 0; i < 3; i++) {
    const s = await Server.start()
    const [ping, ready, health] = await Promise.all([s.get('/v1/ping'), s.get('/readyz'), s.get('/healthz')])
    assert.equal(ping.status, 200)
    assert.deepEqual(ready.json(), { status: 'ready', scripts: true, store: true, stopping: false })
    assert.equal(health.status, 200)
    await s.stop()
  }
})

test('every answer has its own request id', async () => {
  const s = await Server.start()
  const seen = new Set()
  for (const [method, path] of [['GET', '/v1/ping'], ['GET', '/none'], ['PUT', '/v1/ping'], ['OPTIONS', '/v1/ping'], ['GET', '/metrics'], ['HEAD', '/healthz'], ['GET', '/%zz']]) {
    const r = await s.ask(method, path, { headers: { 'x-request-id': 'req_mine' } })
    const id = r.headers['x-request-id']
    assert.match(id, /^req_[0-9a-z]{20,}$/, path)
    seen.add(id)
    if (r.status >= 400) {
      assert.equal(r.headers['content-type'], 'application/problem+json')
      assert.equal(r.json().request_id, id)
    }
  }
  assert.equal(seen.size, 7)
  await s.stop()
})

test('a trusted proxy names its client and the request', async () => {
  const dir = root()
  writeFileSync(join(dir, 'scripts/api/who.lua'), 'return { api = 1, routes = { ["GET /v1/who"] = { auth = "none", run = function(req) return 200, { peer = req.peer, id = req.id } end } } }')
  const headers = { 'x-forwarded-for': '203.0.113.9, 10.1.2.3', 'x-request-id': 'from-the-proxy-1' }
  let s = await Server.start({ dir, env: { LUWAK_TRUSTED_PROXIES: '10.0.0.0/8, 127.0.0.1' } })
  let r = await s.get('/v1/who', { headers })
  assert.deepEqual(r.json(), { peer: '203.0.113.9', id: 'from-the-proxy-1' })
  assert.equal(r.headers['x-request-id'], 'from-the-proxy-1')
  r = await s.get('/metrics', { headers })
  assert.equal(r.status, 403, 'metrics are for this machine, not for whom the proxy serves')
  await s.stop()
  s = await Server.start({ dir })
  r = await s.get('/v1/who', { headers })
  assert.equal(r.json().peer, '127.0.0.1')
  assert.notEqual(r.json().id, 'from-the-proxy-1')
  await s.stop()
})

test('metrics: this machine, or the bearer of the token', async () => {
  const s = await Server.start({ env: { LUWAK_METRICS_TOKEN: 'sesame-sesame' } })
  await s.get('/v1/ping')
  for (const authorization of [undefined, 'Bearer', 'Bearer sesame', 'Bearer sesame-sesame1', 'Basic sesame-sesame']) {
    const r = await s.get('/metrics', { headers: authorization ? { authorization } : {} })
    assert.equal(r.status, 403, authorization)
    assert.doesNotMatch(r.body, /sesame/)
  }
  const r = await s.get('/metrics', { headers: { authorization: 'Bearer sesame-sesame' } })
  assert.equal(r.status, 200)
  assert.match(r.body, /^luwak_script_calls_total\{script="scripts\/api\/ping\.lua",outcome="ok"\} 1$/m)
  assert.match(r.body, /^luwak_store_full 0$/m)
  await s.stop()
})

test('metrics in production: only with the token, for behind a proxy everybody is this machine', async () => {
  const env = { LUWAK_DATA_KEY: Buffer.alloc(32, 7).toString('base64'), LUWAK_PUBLIC_URL: 'https://pay.example' }
  const status = async (LUWAK_ENV, more, headers) => {
    const s = await Server.start({ simulated: false, env: { ...env, LUWAK_ENV, ...more } })
    const r = await s.get('/metrics', { headers })
    await s.stop()
    return r.status
  }
  const token = { LUWAK_METRICS_TOKEN: 'sesame-sesame' }
  assert.equal(await status('production', {}), 403)
  assert.equal(await status('production', {}, { authorization: 'Bearer ' }), 403)
  assert.equal(await status('production', token), 403)
  assert.equal(await status('production', token, { authorization: 'Bearer sesame-sesame' }), 200)
  assert.equal(await status('sandbox', {}), 200)
})

test('SIGTERM: what runs is answered, new ones are refused, then it ends well', async () => {
  const s = await Server.start({ dir: slowRoot() })
  const idle = connect(s.port)
  const kept = connect(s.port, 'GET /v1/ping HTTP/1.1\r\nHost: a\r\n\r\n')
  await until('first answer', () => kept.got.includes('"pong"'))
  const slow = s.get('/v1/slow/1500')
  await sleep(200)
  s.child.kill('SIGTERM')
  await s.logged('stopping')
  await until('idle ones are closed', () => idle.closed && kept.closed)
  await assert.rejects(s.get('/v1/ping'), /ECONNREFUSED|ECONNRESET/)
  const r = await slow
  assert.equal(r.status, 200)
  assert.equal(r.headers.connection, 'close')
  const over = await s.ended
  assert.equal(over.code, 0, s.raw)
})

test('SIGTERM: what runs too long is cut at LUWAK_SHUTDOWN_WAIT', async () => {
  const s = await Server.start({ dir: slowRoot(), env: { LUWAK_SHUTDOWN_WAIT: '1s' } })
  const slow = s.get('/v1/slow/25000').then(r => r.status, e => e.code)
  await sleep(200)
  const began = Date.now()
  const over = await s.kill('SIGTERM')
  assert.equal(over.code, 0, s.raw)
  assert.ok(Date.now() - began < 10000)
  assert.ok([503, 'ECONNRESET'].includes(await slow), `${await slow}`)
})

// A merchant that waits for a wallet that takes its time.
function slowWallet (ms) {
  const dir = root(...WALLET)
  const file = join(dir, 'scripts/sandbox/demo.lua')
  const text = readFileSync(file, 'utf8'), slow = text.replace('return keep(ctx, new_charge(want)) end)', `engine.sleep("${ms}ms") $&`)
  assert.notEqual(slow, text)
  writeFileSync(file, slow)
  return dir
}

const ask = (s, reference) => s.post('/v1/operations', { channel: 'demo_wallet', reference, input: { amount: 25000, phone: '081200001234' } })
const CREATE = { DEMO_KEY: 'the-key', LUWAK_CREATE_WAIT: '1s' }

test('SIGTERM waits for a call to a provider whose caller was answered already', async () => {
  const data = join(temporary(), 'data')
  const dir = slowWallet(2500)
  let s = await Server.start({ dir, data, env: CREATE })
  const r = await ask(s, 'late')
  assert.equal(r.json().status, 'sending', r.body)
  await s.stop()
  s = await Server.start({ dir, data, env: CREATE })
  assert.equal((await s.get(`/v1/operations/${r.json().id}`)).json().status, 'success')
  await s.stop()
})

test('SIGTERM: calls to providers that are cut at the bound are unknown, and nothing is left behind', async () => {
  const data = join(temporary(), 'data')
  const dir = slowWallet(20000)
  let s = await Server.start({ dir, data, env: { ...CREATE, LUWAK_SHUTDOWN_WAIT: '1s' } })
  const asked = await Promise.all(['a', 'b', 'c'].map(reference => ask(s, reference)))
  await s.stop()
  assert.doesNotMatch(s.raw, /Sanitizer/)
  s = await Server.start({ dir, data, env: CREATE })
  for (const r of asked) assert.equal((await s.get(`/v1/operations/${r.json().id}`)).json().status, 'unknown')
  await s.stop()
})

test('SIGTERM while it starts is an ordered end', async () => {
  for (let ms = 0; ms < 60; ms += 12) {
    const s = new Server({ dir: root(...WALLET), args: ['--workers', '2'] })
    await until('its first words', () => s.raw.length || s.out.length || s.over || existsSync(s.data))
    await sleep(ms)
    const over = await s.kill('SIGTERM')
    assert.ok(over.code === 0 || over.signal === 'SIGTERM', `${ms}: ${over.code} ${over.signal} ${s.raw}`)
  }
})

test('a second signal ends it at once', async () => {
  const s = await Server.start({ dir: slowRoot() })
  s.get('/v1/slow/25000').catch(() => {})
  await sleep(200)
  s.child.kill('SIGTERM')
  await s.logged('stopping')
  s.child.kill('SIGINT')
  const over = await s.ended
  assert.equal(over.code, 1)
  assert.equal(s.events('stopped_at_once').length, 1)
})

test('two workers share the port', async () => {
  const s = await Server.start({ args: ['--workers', '2'] })
  const all = await Promise.all(Array.from({ length: 60 }, () => s.get('/v1/ping')))
  assert.ok(all.every(r => r.status === 200))
  assert.equal(s.events('listening')[0].workers, 2)
  await s.stop()
})

test('a port in use', async () => {
  const s = await Server.start()
  for (const workers of ['1', '2']) {
    const r = luwak(['serve', '--simulated', '--workers', workers, '--listen', s.address, '--data', join(temporary(), 'd'), '--root', s.dir])
    assert.equal(r.code, 1)
    assert.equal(r.err.split('\n').filter(l => l && !l.startsWith('{')).join('\n'), `luwak serve: ${s.address} is in use: stop what listens there, or choose another with --listen (make run LISTEN=127.0.0.1:8081)`)
    assert.equal(r.out, '')
  }
  await s.stop()
})

test('a data directory in use names who has it', async () => {
  const s = await Server.start()
  const r = luwak(['serve', '--simulated', '--listen', '127.0.0.1:0', '--data', s.data, '--root', s.dir])
  assert.equal(r.code, 1)
  assert.match(r.err, new RegExp(`^luwak serve: [^\\n]*\\b${s.child.pid}\\b[^\\n]*\\n$`))
  assert.equal((await s.get('/v1/ping')).status, 200)
  await s.stop()
})

test('one environment per data directory, and never a guess', async () => {
  const s = await Server.start()
  await s.stop()
  const key = Buffer.alloc(32, 7).toString('base64')
  let r = luwak(['serve', '--listen', '127.0.0.1:0', '--data', s.data, '--root', s.dir], { env: { LUWAK_ENV: 'sandbox', LUWAK_DATA_KEY: key } })
  assert.equal(r.code, 1)
  assert.match(r.err, /^luwak serve: this data directory belongs to simulated, not to sandbox; name another with --data DIR\n$/)
  r = luwak(['serve', '--listen', '127.0.0.1:0', '--data', s.data, '--root', s.dir])
  assert.equal(r.code, 2)
  assert.match(r.err, /^luwak serve: LUWAK_ENV is not set[^\n]*\n$/)
  r = luwak(['serve', '--simulated', '--listen', '127.0.0.1:0', '--data', s.data, '--root', join(s.dir, 'nowhere')])
  assert.equal(r.code, 1)
  assert.match(r.err, /^luwak serve: [^\n]*nowhere[^\n]*\n$/)
})

test('TLS: keep-alive, plain HTTP on it, a renewed certificate by itself and by SIGHUP', async () => {
  const at = temporary()
  const one = certificate(at, 'one')
  const two = certificate(at, 'two')
  const three = certificate(at, 'three')
  const cert = join(at, 'serving.pem')
  const key = join(at, 'serving.key')
  copyFileSync(one.cert, cert)
  copyFileSync(one.key, key)
  const s = await Server.start({ env: { LUWAK_TLS_CERT: cert, LUWAK_TLS_KEY: key } })
  const agent = new https.Agent({ keepAlive: true, maxSockets: 1, ca: readFileSync(one.cert) })
  const ask = () => new Promise((resolve, reject) => {
    const req = https.request({ host: '127.0.0.1', port: s.port, path: '/v1/ping', agent }, res => {
      res.resume().on('end', () => resolve({ status: res.statusCode, reused: req.reusedSocket, socket: req.socket }))
    })
    req.on('error', reject).end()
  })
  const first = await ask()
  const second = await ask()
  assert.equal(first.status, 200)
  assert.equal(second.reused, true)

  const plain = connect(s.port, 'GET /v1/ping HTTP/1.1\r\nHost: a\r\n\r\n')
  await until('plain HTTP is closed', () => plain.closed)
  assert.doesNotMatch(plain.got, /HTTP\/1\.1 200/)
  const old = await new Promise(resolve => {
    const c = tls.connect({ port: s.port, host: '127.0.0.1', rejectUnauthorized: false, maxVersion: 'TLSv1.1', minVersion: 'TLSv1.1', ciphers: 'DEFAULT:@SECLEVEL=0' }, () => resolve('connected'))
    c.on('error', () => resolve('refused'))
  })
  assert.equal(old, 'refused')

  // the certificate first, its key a moment later: as many tools write them
  copyFileSync(two.cert, cert)
  await sleep(50)
  copyFileSync(two.key, key)
  await until('the renewed one is served', async () => (await peerName(s.port)) === 'two')
  assert.equal((await ask()).reused, true, 'a connection goes on with what it began with')

  writeFileSync(cert, 'no certificate\n')
  s.child.kill('SIGHUP')
  const said = await s.logged('certificate_not_reloaded')
  assert.match(said.error, /serving\.pem/)
  assert.equal(await peerName(s.port), 'two')
  copyFileSync(three.key, key)
  copyFileSync(three.cert, cert + '.new')
  renameSync(cert + '.new', cert)
  s.child.kill('SIGHUP')
  await until('SIGHUP', async () => (await peerName(s.port)) === 'three')
  agent.destroy()
  await s.stop()

  const r = luwak(['serve', '--simulated', '--listen', '127.0.0.1:0', '--data', join(temporary(), 'd'), '--root', s.dir], { env: { LUWAK_TLS_CERT: one.cert } })
  assert.equal(r.code, 2)
  assert.match(r.err, /^luwak serve: LUWAK_TLS_CERT and LUWAK_TLS_KEY belong together[^\n]*\n$/)
})

test('sockets from the service manager', async () => {
  // The test is the service manager: it opens a socket, hands it over as 3, and lets go of it.
  const handOver = async (said, args) => {
    const listening = net.createServer()
    await new Promise(resolve => listening.listen(0, '127.0.0.1', resolve))
    const { port } = listening.address()
    const s = new Server({ command: ['sh', '-c', `${said} exec "$@"`, 'sh', LUWAK], args, stdio: ['ignore', 'pipe', 'pipe', listening._handle.fd] })
    listening.close()
    await s.listening()
    return { s, port }
  }
  for (const workers of ['1', '2']) {
    const { s, port } = await handOver('LISTEN_PID=$$ LISTEN_FDS=1', ['--workers', workers])
    assert.equal(s.port, port)
    const all = await Promise.all(Array.from({ length: 20 }, () => s.get('/v1/ping')))
    assert.ok(all.every(r => r.status === 200))
    await s.stop()
  }
  const other = await handOver('LISTEN_PID=1 LISTEN_FDS=1', [])
  assert.notEqual(other.s.port, other.port, 'a socket that is meant for another process')
  await other.s.stop()
  const bad = new Server({ command: ['sh', '-c', 'exec 3>&-; LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"', 'sh', LUWAK] })
  const over = await bad.ended
  assert.equal(over.code, 1)
  assert.match(over.err, /^luwak serve: LISTEN_FDS=1[^\n]*\n$/)
})

test('systemd-socket-activate starts it at the first connection', { skip: !existsSync('/usr/bin/systemd-socket-activate') }, async () => {
  const free = net.createServer()
  await new Promise(resolve => free.listen(0, '127.0.0.1', resolve))
  const { port } = free.address()
  await new Promise(resolve => free.close(resolve))
  const own = ['serve', '--simulated', '--data', join(temporary(), 'd'), '--root', root(...WALLET)]
  const child = spawn('systemd-socket-activate', ['-l', `127.0.0.1:${port}`, LUWAK, ...own], { env: cleanEnv(), stdio: ['ignore', 'pipe', 'pipe'] })
  let err = ''
  child.stderr.on('data', d => { err += d })
  try {
    await until('it listens', () => /Listening on/.test(err))
    const status = await new Promise((resolve, reject) => http.get({ host: '127.0.0.1', port, path: '/v1/ping', agent: false }, r => resolve(r.resume().statusCode)).on('error', reject))
    assert.equal(status, 200)
  } finally {
    child.kill('SIGTERM')
  }
  assert.equal(await new Promise(resolve => child.on('close', resolve)), 0)
})

test('readiness and the end are told to the service manager', { skip: !existsSync('/usr/bin/systemd-notify') }, async () => {
  const dir = temporary()
  const path = join(dir, 'notify')
  const script = 'import socket,sys\ns=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM)\ns.bind(sys.argv[1])\nprint("bound",flush=True)\nwhile 1: print(s.recv(999).decode(),flush=True)\n'
  const listener = spawn('python3', ['-c', script, path], { stdio: ['ignore', 'pipe', 'ignore'] })
  let said = ''
  listener.on('error', () => { said = 'none' })
  listener.stdout.on('data', d => { said += d })
  await until('the listener', () => said !== '')
  if (said === 'none') return
  try {
    const s = await Server.start({ env: { NOTIFY_SOCKET: path, LUWAK_SHUTDOWN_WAIT: '400s' } })
    await until('READY=1', () => said.includes('READY=1'))
    await s.stop()
    // the unit's own bound may be shorter than the setting: it is told how long this takes
    await until('STOPPING=1', () => said.includes('STOPPING=1\nEXTEND_TIMEOUT_USEC=415000000\n'))
  } finally {
    listener.kill()
  }
})

test('nothing in the data directory can be read by others', async () => {
  const s = await Server.start()
  for (const f of readdirSync(s.data)) assert.equal(statSync(join(s.data, f)).mode & 0o077, 0, f)
  await s.stop()
  assert.ok(!readdirSync(s.data).includes('control.sock'))
})

test('a file that may grow no more: it ends with words, not by a signal', async () => {
  const s = await Server.start({ dir: root('channels', 'rules', 'scripts'), command: ['/bin/sh', '-c', 'ulimit -f 24000; exec "$@"', 'sh', LUWAK] })
  const headers = { authorization: 'Basic ' + Buffer.from('sk_test_demo:').toString('base64') }
  const metadata = Object.fromEntries(Array.from({ length: 50 }, (_, i) => ['k' + i, 'x'.repeat(500)]))
  const acknowledged = []
  for (let i = 0; i < 1000 && !s.over; i++) {
    const r = await s.post('/v1/payments', { order_id: 'o-' + i, amount: 15000, method: 'virtual_account', bank: 'self', metadata }, { headers }).catch(() => null)
    if (!r) break
    if (r.status === 201) acknowledged.push('o-' + i)
  }
  const over = await s.ended
  assert.equal(over.signal, null, JSON.stringify(over))
  assert.equal(s.events('store_fatal').length, 1)
  const again = await Server.start({ dir: s.dir, data: s.data })
  assert.equal((await again.get('/v1/payments?order_id=' + acknowledged.at(-1), { headers })).json().data.length, 1)
  await again.stop()
})

test('a start where no script has changed: the same shop, known by what the first start kept', async () => {
  const headers = { authorization: 'Basic ' + Buffer.from('sk_test_demo:').toString('base64') }
  const sorted = v => Array.isArray(v) ? v.map(sorted) : v && typeof v === 'object' ? Object.fromEntries(Object.keys(v).sort().map(k => [k, sorted(v[k])])) : v
  const seen = async s => [
    (await s.get('/v1/channels', { headers })).json(),
    (await s.get('/openapi.json')).json(),
    spawnSync(LUWAK, ['scripts', 'list', '--data', s.data, '--root', s.dir], { encoding: 'utf8', env: cleanEnv() }).stdout
  ].map(sorted)
  const first = await Server.start({ dir: root('channels', 'rules', 'scripts') })
  const was = await seen(first)
  assert.ok(was[0].data.length > 40, JSON.stringify(was[0]).slice(0, 200))
  const kept = join(first.data, 'script-outlines')
  const written = statSync(kept)
  assert.equal(written.mode & 0o777, 0o600)
  await first.kill()
  const s = await Server.start({ dir: first.dir, data: first.data })
  assert.equal(statSync(kept).ino, written.ino, 'nothing new to keep')
  assert.deepEqual(await seen(s), was)
  for (const more of [{ method: 'virtual_account', bank: 'bni' }, { method: 'qris', channel: 'midtrans_qris' }, { method: 'virtual_account', bank: 'self' }]) {
    const r = await s.post('/v1/payments', { order_id: more.channel ?? more.bank, amount: 15000, ...more }, { headers })
    assert.equal(r.status, 201, r.body)
  }
  await s.stop()
  writeFileSync(kept, 'rubbish')
  const again = await Server.start({ dir: first.dir, data: first.data })
  assert.equal(again.events('script_outlines_not_used').length, 1)
  assert.deepEqual(await seen(again), was)
  assert.notEqual(readFileSync(kept, 'utf8'), 'rubbish')
  await again.stop()
})
