// The binary under test, and small helpers that every end-to-end test uses.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

export const ROOT = resolve(fileURLToPath(import.meta.url), '../../..')
export const LUWAK = process.env.LUWAK ?? join(ROOT, 'build/luwak')

// An environment without settings of the machine that runs the tests.
export function cleanEnv (extra = {}) {
  const env = {}
  for (const [k, v] of Object.entries(process.env)) {
    if (!/^(LUWAK|PAYMENT|MIDTRANS|XENDIT|DOKU|CREDENTIALS|NOTIFY|LISTEN)_/.test(k) && !/^(LUWAK|MAKEFLAGS|MAKELEVEL)$/.test(k)) env[k] = v
  }
  return { ...env, ...extra }
}

// Runs luwak to its end: { code, out, err }. What takes longer than `timeout` hangs.
export function luwak (args, { cwd, env, input, timeout = 30000 } = {}) {
  const r = spawnSync(LUWAK, args, { cwd: cwd ?? temporary(), env: cleanEnv(env), input, encoding: 'utf8', timeout, maxBuffer: 256 << 20 })
  if (r.error) throw r.error
  return { code: r.status, signal: r.signal, out: r.stdout, err: r.stderr }
}

const made = []
process.on('exit', () => made.forEach(d => rmSync(d, { recursive: true, force: true })))
export function temporary () {
  const dir = mkdtempSync(join(tmpdir(), 'luwak-e2e-'))
  made.push(dir)
  return dir
}
