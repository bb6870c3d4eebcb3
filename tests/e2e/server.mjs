// A running server for end-to-end tests: started on a free port with folders of its own, its log
// lines as objects, requests over it, and its end.
import { spawn } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync } from 'node:fs'
import http from 'node:http'
import { join } from 'node:path'
import { after } from 'node:test'
import { LUWAK, ROOT, cleanEnv, temporary } from './luwak.mjs'

const running = new Set()
// a test that fails leaves its server: without this the suite would wait for it
const endAll = () => running.forEach(s => s.child.kill('SIGKILL'))
after(endAll)
process.on('exit', endAll)

export const sleep = ms => new Promise(resolve => setTimeout(resolve, ms))

// Asks until `check` gives something true; what it gave. Bounded, so that a hang is a failure.
export async function until (what, check, ms = 20000) {
  const end = Date.now() + ms
  for (;;) {
    const got = await check()
    if (got) return got
    if (Date.now() > end) throw new Error(`${what}: not within ${ms} ms`)
    await sleep(10)
  }
}

// A root folder with copies of the named scripts of this repository.
export function root (...paths) {
  const dir = join(temporary(), 'root')
  for (const d of ['channels', 'rules', 'scripts/api', 'scripts/sandbox', 'scripts/jobs', 'scripts/lib']) mkdirSync(join(dir, d), { recursive: true })
  for (const p of paths) cpSync(join(ROOT, p), join(dir, p), { recursive: true })
  return dir
}

export const WALLET = ['channels/demo_wallet.lua', 'scripts/sandbox/demo.lua', 'scripts/lib/simulator.lua', 'scripts/api/operations.lua', 'scripts/api/ping.lua']

export class Server {
  constructor ({ dir = root(...WALLET), data = join(temporary(), 'data'), env = {}, args = [], simulated = true, listen = '127.0.0.1:0', command, stdio } = {}) {
    const own = ['serve', '--listen', listen, '--data', data, '--root', dir, ...(simulated ? ['--simulated'] : []), ...args]
    const [file, ...before] = command ?? [LUWAK]
    this.dir = dir
    this.data = data
    this.log = []
    this.raw = ''
    this.out = ''
    this.err = ''
    this.child = spawn(file, [...before, ...own], { cwd: temporary(), env: cleanEnv({ LUWAK_LOG: 'json', ...env }), stdio: stdio ?? ['ignore', 'pipe', 'pipe'] })
    running.add(this)
    this.child.stdout.on('data', d => { this.out += d })
    let rest = ''
    this.child.stderr.on('data', d => {
      this.raw += d
      const lines = (rest + d).split('\n')
      rest = lines.pop()
      for (const line of lines) {
        let entry
        try { entry = JSON.parse(line) } catch { this.err += line + '\n'; continue }
        entry.at = Date.now()
        this.log.push(entry)
      }
    })
    this.ended = new Promise(resolve => this.child.on('close', (code, signal) => {
      running.delete(this)
      this.over = { code, signal, out: this.out, err: this.err }
      resolve(this.over)
    }))
  }

  static async start (options) {
    const s = new Server(options)
    await s.listening()
    return s
  }

  async listening () {
    await until('listening', () => this.over || /^listening on .*\n/m.test(this.out), 60000)
    if (this.over) throw new Error(`ended: ${JSON.stringify(this.over)} ${this.raw}`)
    this.address = /^listening on (.*)$/m.exec(this.out)[1]
    const colon = this.address.lastIndexOf(':')
    this.port = Number(this.address.slice(colon + 1))
    this.base = `http://${this.address}`
  }

  // { status, headers, body, json() }; rejects when the connection fails.
  ask (method, path, { body, headers = {}, agent = false, timeout = 60000 } = {}) {
    if (body !== undefined && typeof body !== 'string' && !Buffer.isBuffer(body)) {
      body = JSON.stringify(body)
      headers = { 'content-type': 'application/json', ...headers }
    }
    if (body !== undefined) headers = { ...headers, 'content-length': Buffer.byteLength(body) }
    return new Promise((resolve, reject) => {
      const req = http.request({ host: '127.0.0.1', port: this.port, method, path, headers, agent, timeout }, res => {
        const chunks = []
        res.on('data', d => chunks.push(d))
        res.on('error', reject)
        res.on('end', () => {
          const text = Buffer.concat(chunks).toString()
          resolve({ status: res.statusCode, headers: res.headers, body: text, json: () => JSON.parse(text) })
        })
      })
      req.on('timeout', () => req.destroy(new Error('time-out')))
      req.on('error', reject)
      req.end(body)
    })
  }

  get (path, options) { return this.ask('GET', path, options) }
  post (path, body, options) { return this.ask('POST', path, { ...options, body }) }

  events (name) { return this.log.filter(l => l.event === name) }
  logged (name, check = () => true, ms) { return until(`log line ${name}`, () => this.log.find(l => l.event === name && check(l)), ms) }

  rss () { return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${this.child.pid}/status`, 'utf8'))[1]) * 1024 }

  kill (signal = 'SIGKILL') { this.child.kill(signal); return this.ended }

  // The ordered end; fails the test when it was none.
  async stop () {
    if (this.over) return this.over
    const over = await this.kill('SIGTERM')
    if (over.code !== 0) throw new Error(`exit ${over.code} ${over.signal}: ${this.raw.slice(-4000)}`)
    return over
  }
}
