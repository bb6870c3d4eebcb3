// A play fails when one of its expected lines is another, is missing, or comes twice: every line of one
// play, and one line of each other play, in turn.
import { test } from 'node:test'
import assert from 'node:assert/strict'
import { readFileSync, readdirSync, cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT, luwak, temporary } from './luwak.mjs'

const PLAYS = join(ROOT, 'tests/plays')

function root () {
  const dir = join(temporary(), 'root')
  for (const part of ['channels', 'rules', 'scripts']) cpSync(join(ROOT, part), join(dir, part), { recursive: true })
  mkdirSync(join(dir, 'tests/plays'), { recursive: true })
  return dir
}

// { title, lines, end: what stands behind the last play }; with fillings behind it, each play is played for each
function read (file) {
  const text = readFileSync(join(PLAYS, file), 'utf8')
  const plays = [...text.matchAll(/^\["(.*?)"\] = \[\[\n([^]*?)\]\],$/gm)].map(([, title, body]) => ({ title, lines: body.split('\n') }))
  assert.equal(plays.length, text.split('] = [[').length - 1, `${file} reads`)
  let channels = 0
  const head = text.slice(0, text.indexOf('["')).replace(/^  \w+ = \{.*\n/gm, line => channels++ ? '' : line)
  return { head, plays, end: text.slice(text.lastIndexOf(']],') + 3) }
}

const EXPECTED = line => line !== '' && !line.startsWith('> ')
const CHANGES = [
  line => [/\d/.test(line) ? line.replace(/\d(?=\D*$)/, d => (Number(d) + 1) % 10) : line + ' not'],
  () => [],
  line => [line, line]]

const WHOLE = 'deny_after_settlement: the money is taken back'

test('a play with one line changed fails', () => {
  const dir = root()
  for (const file of readdirSync(PLAYS).filter(f => f.endsWith('_test.lua'))) {
    const { head, plays, end } = read(file)
    const changed = [], titles = new Set()
    plays.forEach(({ title, lines }, n) => {
      assert.ok(!titles.has(title), title)
      titles.add(title)
      const all = lines.map((line, i) => i).filter(i => EXPECTED(lines[i]))
      for (const i of title === WHOLE ? all : [all[(n * 7) % all.length]]) {
        const other = [...lines.slice(0, i), ...CHANGES[(i + n) % CHANGES.length](lines[i]), ...lines.slice(i + 1)]
        changed.push(`["${title} ${i}"] = [[\n${other.join('\n')}]],`)
      }
    })
    writeFileSync(join(dir, 'tests/plays', file), `${head}${changed.join('\n')}${end}`)
    const failures = changed.length * (end.match(/^ *\{ name = /gm) ?? [1]).length
    const r = luwak(['test', `tests/plays/${file}`, '--root', dir], { cwd: dir, timeout: 300000 })
    assert.equal(r.code, 1, r.out + r.err)
    assert.match(r.out, new RegExp(`^0 passed, ${failures} failed$`, 'm'), r.out.replace(/^ .*\n/gm, ''))
    assert.equal(r.out.split('but it came to this').length - 1, failures, 'each for its line, and not for another reason')
  }
})
