// `make install` into a folder of its own: everything is in its place and works from there.
import { test } from 'node:test'
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { LUWAK, ROOT, cleanEnv, temporary } from './luwak.mjs'

test('make install DESTDIR= PREFIX=', () => {
  const dest = temporary()
  // what was built for this run is installed, whatever variant it is
  const variant = dirname(LUWAK).split('/').pop()
  const env = cleanEnv()
  const r = spawnSync('make', ['install', `VARIANT=${variant === 'build' ? 'release' : variant}`, `DESTDIR=${dest}`, 'PREFIX=/opt/luwak'], { cwd: ROOT, env, encoding: 'utf8' })
  assert.equal(r.status, 0, r.stdout + r.stderr)
  const at = p => join(dest, 'opt/luwak', p)
  for (const p of ['bin/luwak', 'share/luwak', 'share/man/man1/luwak.1', 'share/bash-completion/completions/luwak', 'share/zsh/site-functions/_luwak', 'share/fish/vendor_completions.d/luwak.fish', 'lib/systemd/system/luwak.service', 'lib/systemd/system/luwak.socket']) {
    assert.ok(existsSync(at(p)), p)
  }
  assert.equal(statSync(at('bin/luwak')).mode & 0o777, 0o755)
  for (const d of ['channels', 'rules', 'scripts', 'tests/lua', 'tests/plays']) assert.equal(existsSync(at(`share/luwak/${d}`)), existsSync(join(ROOT, d)), d)
  const unit = readFileSync(at('lib/systemd/system/luwak.service'), 'utf8')
  assert.match(unit, /^ExecStart=\/opt\/luwak\/bin\/luwak serve --data \/var\/lib\/luwak --root \/opt\/luwak\/share\/luwak$/m)
  // staged mode plays what is installed: the plays find there all that they need
  const played = spawnSync(at('bin/luwak'), ['test', 'tests/plays/self_va_test.lua'], { cwd: at('share/luwak'), env, encoding: 'utf8' })
  assert.equal(played.status, 0, played.stdout + played.stderr)
  assert.match(spawnSync(at('bin/luwak'), ['version'], { encoding: 'utf8' }).stdout, /^luwak \d+\.\d+\.\d+ /)
})
