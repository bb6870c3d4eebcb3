// The server as its systemd unit shuts it in: what the client names lies where the server sees another
// folder (PrivateTmp), and the scripts where it cannot write (ProtectSystem). `unshare` stands for systemd.
import { test } from 'node:test'
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { LUWAK, luwak, temporary } from './luwak.mjs'
import { Server, root, until } from './server.mjs'

const may = spawnSync('unshare', ['-m', 'true']).status === 0
const skip = may ? false : 'no mount namespaces here: `unshare -m` is refused'

// A server with a /tmp of its own in the place of `place`, and a root that it can only read.
async function shutIn (options = {}) {
  const dir = root('channels', 'rules', 'scripts', 'examples')
  const place = temporary()
  const script = 'mount -t tmpfs none "$1" && mount --bind "$2" "$2" && mount -o remount,bind,ro "$2" && shift 2 && exec "$@"'
  const data = join(temporary(), 'data')
  const s = await Server.start({ dir, data, ...options, command: ['unshare', '-m', 'sh', '-c', script, 'sh', place, dir, LUWAK] })
  const run = (...args) => luwak([...args, '--data', data], { cwd: dir, env: { TMPDIR: place } })
  return { s, dir, place, run }
}

test('backup: the file is where its client named it, and is the client\'s', { skip }, async () => {
  const { s, place, run } = await shutIn()
  const to = join(place, 'x.db')
  const r = run('backup', to)
  assert.equal(r.code, 0, r.err)
  assert.match(r.out, /x\.db: \d+ bytes, checked\n$/)
  assert.ok(statSync(to).size > 4096)
  assert.equal(statSync(to).mode & 0o777, 0o600)
  assert.deepEqual(readdirSync(place), ['x.db'])
  const v = luwak(['verify', to], { env: {} })
  assert.equal(v.code, 0, v.out + v.err)
  await s.stop()
})

test('run --dry-run: on a copy that the client makes', { skip }, async () => {
  const { s, dir, place, run } = await shutIn()
  const r = run('run', join(dir, 'examples/import_phones.lua'), join(dir, 'examples/phones.csv'), '--dry-run', '--simulated')
  assert.equal(r.code, 0, r.err)
  assert.match(r.out, /118 stored/)
  assert.deepEqual(readdirSync(place), [])
  await s.stop()
})

// The emergency command: staged, so that what it brings back serves at once though nothing else does.
test('scripts rollback: the command writes what the server may only read', { skip }, async () => {
  const { s, dir, run } = await shutIn({ env: { LUWAK_SCRIPTS: 'staged' } })
  const ping = join(dir, 'scripts/api/ping.lua')
  const good = (...args) => {
    const r = run(...args, '--simulated', '--root', dir)
    assert.equal(r.code, 0, r.err)
    return r.out
  }
  const pong = async () => (await s.get('/v1/ping')).json().pong
  const first = readFileSync(ping, 'utf8')
  writeFileSync(ping, first.replace('pong = true', 'pong = "bad"'))
  await until('it waits', () => /^staged .*ping\.lua$/m.test(good('scripts', 'list')))
  good('deploy', 'scripts/api/ping.lua')
  await until('the bad one', async () => await pong() === 'bad')
  const elsewhere = run('scripts', 'rollback', 'scripts/api/ping.lua', '--simulated', '--root', root('scripts'))
  assert.equal(elsewhere.code, 1)
  assert.match(elsewhere.err, /^luwak scripts: [^\n]*Read-only file system[^\n]*the server's scripts are in [^\n]*--root\n$/)
  assert.match(good('scripts', 'rollback', 'scripts/api/ping.lua'), /the text of [0-9a-f]{12} is back in the folder/)
  assert.equal(readFileSync(ping, 'utf8'), first)
  await until('the first one', async () => await pong() === true)
  await s.stop()
})
