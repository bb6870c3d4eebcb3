// Channels pass `luwak conform`, and README's table of channels is what it prints; channels with a mistake
// in them are found out, each by the check that is there for it. With TEST_ROUNDS (make faults) all the
// channels (--all), and all the mistakes, held against the whole suite; else one channel of each kind and
// provider, and ten mistakes, each against its one check.
import { test } from 'node:test'
import assert from 'node:assert/strict'
import { cpSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT, luwak, temporary } from './luwak.mjs'
import { DEFECTS } from './conform_defects.mjs'

const BEGIN = '<!-- channels', END = '<!-- /channels -->'

function root () {
  const dir = join(temporary(), 'root')
  for (const part of ['channels', 'rules', 'scripts']) cpSync(join(ROOT, part), join(dir, part), { recursive: true })
  return dir
}

const conform = (dir, ...args) => luwak(['conform', ...args, '--root', dir, '--evidence', join(dir, 'evidence')], { cwd: dir, timeout: 600000 })

const whole = Number(process.env.TEST_ROUNDS ?? 0) >= 1000
const SOME = ['demo_wallet', 'self_va', 'midtrans_bca_va', 'midtrans_qris', 'midtrans_card', 'doku_bca_va', 'doku_qris', 'doku_ovo',
  'xendit_bca_va', 'xendit_dana', 'xendit_card']

test(whole ? 'every channel passes, and the README says so' : 'a channel of each kind passes, and the README says so', () => {
  const dir = root()
  const readme = readFileSync(join(ROOT, 'README.md'), 'utf8')
  const table = readme.slice(readme.indexOf('\n', readme.indexOf(BEGIN)) + 1, readme.indexOf(END))
  const rows = []
  for (const asked of whole ? ['--all'] : SOME) {
    const r = conform(dir, asked, '--table', 'markdown')
    assert.equal(r.code, 0, r.out + r.err + conform(dir, asked).out)
    if (whole) assert.equal(table, r.out, '`make channels` writes it')
    rows.push(...r.out.split('\n').slice(2, -1))
  }
  const named = (list) => list.map((line) => line.match(/`(\w+)`/)[1])
  assert.deepEqual(named(rows), whole ? named(table.split('\n').slice(2, -1)) : SOME)
  assert.deepEqual(named(table.split('\n').slice(2, -1)), readdirSync(join(ROOT, 'channels')).map((f) => f.replace('.lua', '')).sort())
  for (const line of rows) {
    assert.ok(table.includes(line + '\n'), `README has not: ${line}; \`make channels\` writes it`)
    const evidence = readFileSync(join(dir, 'evidence', named([line])[0] + '.txt'), 'utf8')
    assert.match(evidence, /^1\. declares what people need: passed$/m)
    for (const secret of ['SB-Mid-server-demo', 'demo-wallet-key', 'self-demo-key', 'sk_test_demo', 'xnd_development_demo', 'xnd-callback-demo', 'SK-demo',
      Buffer.from('xnd_development_demo:').toString('base64'), Buffer.from('SB-Mid-server-demo:').toString('base64')]) {
      assert.ok(!evidence.includes(secret), `${line}: its evidence shows ${secret}`)
    }
  }
  const evidence = readFileSync(join(dir, 'evidence/midtrans_bca_va.txt'), 'utf8')
  assert.match(evidence, /POST https:\/\/\S+\/v2\/charge\n/)
  assert.match(evidence, /signed, sha512 over\n {4}\| cf-1200150000\.00\[MIDTRANS_SERVER_KEY\]\n/)
  assert.match(evidence, /^ {2}2026-01-05T10:00:0\d\.\d{3}\+07:00 {2}answered 200$/m)
})

test('what is asked wrongly', () => {
  assert.equal(luwak(['conform'], { cwd: ROOT }).code, 2)
  assert.equal(luwak(['conform', 'no_such', '--root', ROOT], { cwd: ROOT }).code, 2)
  assert.equal(luwak(['conform', 'self_va', '--all', '--root', ROOT], { cwd: ROOT }).code, 2)
  const dir = root()
  assert.equal(conform(dir, 'self_va', '--check', 'no such check').code, 1)
})

for (const defect of whole ? DEFECTS : DEFECTS.slice(0, 10)) {
  test(`found: ${defect.what} (${defect.channel})`, () => {
    const dir = root(), path = join(dir, defect.file)
    const parts = readFileSync(path, 'utf8').split(defect.find)
    assert.equal(parts.length, 2, `the defect does not apply to ${defect.file}: ${parts.length - 1} times "${defect.find}"`)
    writeFileSync(path, parts.join(defect.put))
    const r = conform(dir, defect.channel, ...(whole ? [] : ['--check', defect.caught]))
    assert.equal(r.code, 1, `not found\n${r.out}`)
    assert.ok(r.out.includes(`FAIL ${defect.channel}: ${defect.caught}\n`), `expected it to be found by "${defect.caught}":\n${r.out}`)
  })
}

test('there are thirty mistakes or more', () => assert.ok(DEFECTS.length >= 30))

test('a new channel of each kind passes at once', () => {
  const dir = root()
  for (const part of readdirSync(join(dir, 'channels'))) rmSync(join(dir, 'channels', part)) // their own only: faster
  for (const like of ['va', 'bill', 'retail', 'qris', 'wallet', 'card']) {
    const name = `acme${like}_${like}`
    const made = luwak(['new', 'channel', name, '--like', like, '--root', dir], { cwd: dir })
    assert.equal(made.code, 0, made.err)
    const r = conform(dir, name)
    assert.equal(r.code, 0, r.out)
    assert.match(r.out, /^(29|3\d) passed, 0 failed/m, 'nearly all of it is offered')
    const play = luwak(['test', join(dir, `tests/plays/${name}_test.lua`), '--root', dir], { cwd: dir })
    assert.equal(play.code, 0, play.out)
  }
  const again = luwak(['new', 'channel', 'acmeva_va', '--like', 'va', '--root', dir], { cwd: dir })
  assert.equal(again.code, 1)
  const sandbox = readFileSync(join(dir, 'scripts/sandbox/acmeva.lua'))
  const second = luwak(['new', 'channel', 'acmeva_qris', '--like', 'qris', '--root', dir], { cwd: dir })
  assert.match(second.out, /sandbox\/acmeva\.lua was there, and stays$/m)
  assert.deepEqual(readFileSync(join(dir, 'scripts/sandbox/acmeva.lua')), sandbox)
  assert.equal(conform(dir, 'acmeva_qris').code, 0, 'two channels of one provider')
  assert.equal(luwak(['new', 'rule', 'acme', '--like', 'va', '--root', dir], { cwd: dir }).code, 2)
})
