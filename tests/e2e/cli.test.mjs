// The command line: every command's help and every wrong use says in one line what is wrong.
import { test } from 'node:test'
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync, chmodSync } from 'node:fs'
import { join } from 'node:path'
import { luwak, temporary } from './luwak.mjs'

const COMMANDS = ['serve', 'run', 'check', 'test', 'new', 'migrate', 'simulate', 'scripts', 'deploy', 'grant', 'config', 'backup', 'verify', 'completion', 'help', 'version']

function refused (args, pattern, options) {
  const r = luwak(args, options)
  const said = `luwak ${args.join(' ')}: exit ${r.code}, ${JSON.stringify(r.err)}`
  assert.equal(r.code, 2, said)
  assert.equal(r.out, '', said)
  assert.match(r.err, /^luwak[^\n]*\n$/, said)
  assert.match(r.err, pattern, said)
}

test('the overview lists every command', () => {
  for (const args of [['--help'], ['-h'], ['help']]) {
    const r = luwak(args)
    assert.equal(r.code, 0)
    assert.equal(r.err, '')
    for (const c of COMMANDS) assert.match(r.out, new RegExp(`^  ${c} `, 'm'))
    assert.doesNotMatch(r.out, /^ {2}man /m)
  }
})

for (const command of COMMANDS) {
  test(`${command}: help, and a wrong flag`, () => {
    const help = luwak([command, '--help'])
    assert.equal(help.code, 0)
    assert.equal(help.err, '')
    assert.ok(help.out.startsWith(`luwak ${command}`))
    for (const line of help.out.split('\n')) {
      if (!/^ {2,6}(luwak|LUWAK|PAYMENT|      )|^  LUWAK/.test(line) && command !== 'config') assert.ok(line.length <= 80, line)
    }
    assert.equal(luwak(['help', command]).out, help.out)
    assert.equal(luwak([command, '-h']).out, help.out)
    refused([command, '--hlep'], /did you mean --help\?/)
    refused([command, '--nonsense-option'], /no option --nonsense-option; `luwak \w+ --help` lists them/)
    refused([command, '-x'], /no option -x; options are long/)
    refused([command, '--env-file'], /--env-file needs a value: FILE/)
    refused([command, '--help=yes'], /--help takes no value/)
  })
}

test('wrong words', () => {
  refused([], /no command; `luwak --help` lists them/)
  refused(['serv'], /did you mean serve\?/)
  refused(['xyzzy'], /no command xyzzy; `luwak --help` lists them/)
  refused(['--simulated'], /options come behind the command/)
  refused(['help', 'srve'], /did you mean serve\?/)
  refused(['new', 'chanel', 'x_y'], /did you mean channel\?/)
  refused(['new', 'channel'], /NAME is missing/)
  refused(['scripts', 'lits'], /did you mean list\?/)
  refused(['completion', 'tcsh'], /did you mean|one of bash\|zsh\|fish/)
  refused(['backup'], /FILE is missing/)
  refused(['deploy'], /FILE is missing/)
  refused(['run'], /FILE is missing/)
  refused(['migrate', 'extra'], /extra is one argument too many/)
  refused(['a\nb'], /no command a\?b/)
})

test('wrong values', () => {
  refused(['serve', '--listen', '8080'], /--listen=8080 must be HOST:PORT/)
  refused(['serve', '--listen='], /--listen needs a value/)
  refused(['serve', '--listen', '--simulated'], /--listen needs a value/)
  refused(['serve', '--workers=many'], /--workers=many must be a whole number/)
  refused(['serve', '--workers', '1', '--workers', '2'], /--workers is given twice/)
  refused(['serve', '--lisen', '127.0.0.1:1'], /did you mean --listen\?/)
  refused(['simulate', '--seed', 'abc'], /--seed abc: must be a whole number/)
})

test('config: values, origins, masks, problems', () => {
  const dir = temporary()
  writeFileSync(join(dir, '.env'), 'LUWAK_WORKERS=2\nMIDTRANS_SERVER_KEY=SB-Mid-server-very-secret\n', { mode: 0o600 })
  let r = luwak(['config', '--simulated', '--data=/x'], { cwd: dir, env: { LUWAK_LOG: 'json' } })
  assert.equal(r.code, 0, r.err)
  assert.match(r.out, /^LUWAK_ENV +simulated +option --simulated$/m)
  assert.match(r.out, /^LUWAK_DATA +\/x +option --data$/m)
  assert.match(r.out, /^LUWAK_LOG +json +environment$/m)
  assert.match(r.out, /^LUWAK_WORKERS +2 +\.env:1$/m)
  assert.match(r.out, /^LUWAK_LISTEN +127\.0\.0\.1:8080 +default$/m)
  assert.match(r.out, /^MIDTRANS_SERVER_KEY +\*+ +\.env:2$/m)
  assert.doesNotMatch(r.out, /very-secret/)
  assert.equal(r.err, '')

  chmodSync(join(dir, '.env'), 0o644)
  r = luwak(['config', '--simulated'], { cwd: dir })
  assert.equal(r.code, 0)
  assert.match(r.err, /^luwak config: warning: .env can be read by everybody[^\n]*\n$/)

  r = luwak(['config'], { env: { LUWAK_WORKER: '3', LUWAK_LISTEN: 'x' } })
  assert.equal(r.code, 1)
  assert.match(r.err, /LUWAK_WORKER is not a setting; did you mean LUWAK_WORKERS\?\n/)
  assert.match(r.err, /LUWAK_LISTEN=x must be HOST:PORT/)

  r = luwak(['config'])
  assert.equal(r.code, 1)
  assert.match(r.err, /^luwak config: LUWAK_ENV is not set[^\n]*\n$/)

  r = luwak(['config', '--env-file', 'nowhere'])
  assert.equal(r.code, 1)
  assert.match(r.err, /nowhere: not found\n/)
  assert.match(luwak(['config', '--help']).out, /LUWAK_DATA_KEY {2}\(32 bytes, needed unless simulated\)/)
})

test('new writes a file and its test, once', () => {
  const dir = temporary()
  const kinds = { channel: 'channels/acme_va.lua', rule: 'rules/fees/acme_va.lua', biller: 'scripts/billers/acme_va.lua', tool: 'scripts/tools/acme_va.lua' }
  for (const [kind, file] of Object.entries(kinds)) {
    const r = luwak(['new', kind, 'acme_va', '--root', '.'], { cwd: dir })
    assert.equal(r.code, 0, r.err)
    const [first, second, next] = r.out.split('\n')
    assert.equal(first, './' + file)
    assert.match(next, /luwak check .* && luwak test/)
    for (const path of [first, second]) {
      const text = readFileSync(join(dir, path), 'utf8')
      assert.doesNotMatch(text, /@[A-Z]+@/)
      assert.match(text, /acme/)
      assert.equal(spawnSync('luac5.4', ['-p', join(dir, path)]).status ?? 0, 0)
    }
    assert.equal(/Nobody answers it .*--like/.test(r.out), kind === 'channel', r.out)
    const again = luwak(['new', kind, 'acme_va', '--root', '.'], { cwd: dir })
    assert.equal(again.code, 1)
    assert.match(again.err, /^luwak new: [^\n]*acme_va.lua exists: edit it, or choose another NAME\n$/)
  }
  assert.match(readFileSync(join(dir, 'channels/acme_va.lua'), 'utf8'), /secret "ACME_SECRET_KEY"/)
})

test('new leaves nothing half and refuses bad names', () => {
  for (const name of ['Acme_va', '../x_y', 'acme__va', 'acme_', '_va', '1a_b', 'acme', 'é_va', '']) {
    const r = luwak(['new', 'channel', name])
    assert.equal(r.code, 2, name)
    assert.match(r.err, /^luwak new: [^\n]*\n$/)
  }
  const dir = temporary()
  mkdirSync(join(dir, 'tests/lua/channels'), { recursive: true })
  writeFileSync(join(dir, 'tests/lua/channels/acme_va_test.lua'), 'mine')
  const r = luwak(['new', 'channel', 'acme_va', '--root', '.'], { cwd: dir })
  assert.equal(r.code, 1)
  assert.equal(existsSync(join(dir, 'channels/acme_va.lua')), false)
  assert.equal(readFileSync(join(dir, 'tests/lua/channels/acme_va_test.lua'), 'utf8'), 'mine')
  assert.equal(luwak(['new', 'tool', 'x', '--root', '/nonexistent']).code, 1)
})

test('bash completes commands, options and choices', () => {
  const script = luwak(['completion', 'bash']).out
  const complete = (...words) => {
    const run = `${script}\nCOMP_WORDS=(${words.map(w => `'${w}'`).join(' ')}); COMP_CWORD=${words.length - 1}; _luwak 2>/dev/null; printf '%s\\n' "\${COMPREPLY[@]}"`
    return spawnSync('bash', ['-c', run], { encoding: 'utf8', cwd: temporary() }).stdout.trim().split('\n')
  }
  assert.deepEqual(complete('luwak', 'ser'), ['serve'])
  assert.deepEqual(complete('luwak', 'serve', '--li'), ['--listen'])
  assert.deepEqual(complete('luwak', 'new', 'ch'), ['channel'])
  assert.deepEqual(complete('luwak', 'new', '--ro'), ['--root'])
  assert.ok(complete('luwak', '').includes('verify'))
  for (const shell of ['zsh', 'fish']) assert.match(luwak(['completion', shell]).out, /simulated/)
})

test('a closed reader and a full disk are noticed', () => {
  const full = spawnSync('sh', ['-c', `"${process.env.LUWAK ?? 'build/luwak'}" --help >/dev/full`], { encoding: 'utf8' })
  assert.equal(full.status, 1)
  assert.match(full.stderr, /cannot write: No space left on device/)
})
