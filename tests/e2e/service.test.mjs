// The server as its systemd unit shuts it in: what the client names lies where the server sees another
// folder (PrivateTmp), and the scripts where it cannot write (ProtectSystem). `unshare` stands for systemd.
import { test } from 'node:test'
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { LUWAK, luwak, temporary } from './luwak.mjs'
import { Server, root } from './server.mjs'

const may = spawnSync('unshare', ['-m', 'true']).status === 0
const skip = may ? false : 'no mount namespaces here: `unshare -m` is refused'

// A server with a /tmp of its own in the place of `place`, and a root that it can only read.
async function shutIn () {
  const dir = root('channels', 'rules', 'scripts', 'examples')
  const place = temporary()
  const script = 'mount -t tmpfs none "$1" && mount --bind "$2" "$2" && mount -o remount,bind,ro "$2" && shift 2 && exec "$@"'
  const data = join(temporary(), 'data')
  const s = await Server.start({ dir, data, command: ['unshare', '-m', 'sh', '-c', script, 'sh', place, dir, LUWAK] })
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
