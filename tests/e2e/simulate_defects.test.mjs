// What `luwak simulate --payments` looks for it finds: a world whose one channel makes a mistake with money.
import { test } from 'node:test'
import assert from 'node:assert/strict'
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT, luwak, temporary } from './luwak.mjs'

const WALLET = 'channels/demo_wallet.lua'

function world (find, put) {
  const dir = join(temporary(), 'root')
  for (const part of ['rules', 'scripts']) cpSync(join(ROOT, part), join(dir, part), { recursive: true })
  mkdirSync(join(dir, 'channels'))
  const parts = readFileSync(join(ROOT, WALLET), 'utf8').split(find)
  assert.equal(parts.length, 2, `the defect does not apply: ${parts.length - 1} times "${find}"`)
  writeFileSync(join(dir, WALLET), parts.join(put))
  return dir
}

// Which of a wrong world's seeds meets what first is chance: one of a few says it, and none is good.
function found (dir, what) {
  const said = []
  for (let seed = 1; seed <= 8; seed++) {
    const r = luwak(['simulate', '--payments', '--seed', String(seed), '--steps', '1000', '--root', dir], { cwd: dir, timeout: 240000 })
    assert.equal(r.code, 1, r.out + r.err)
    if (r.err.includes(what)) return
    said.push(r.err)
  }
  assert.fail(`none of them says "${what}":\n${said.join('')}`)
}

test('an order that is debited again, because no answer was taken for a no', () => {
  found(world('if not answer then return unknown { message = why, code = code } end',
    'if not answer then return op.input.phone:find "1234$" and failed { category = "TIMEOUT", final = true } or unknown { message = why } end'),
  ': an order was debited twice: p')
})
