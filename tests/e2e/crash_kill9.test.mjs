// kill -9 on the real binary under heavy writes, at random moments and at every fault point that the
// engine names. After each kill: `luwak verify` is clean, and on the next start every write that was
// answered with 201 is there, each entirely. TEST_ROUNDS kills (200; `make faults`: 10,000).
import { test } from 'node:test'
import assert from 'node:assert/strict'
import http from 'node:http'
import { spawn, execFile } from 'node:child_process'
import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { LUWAK, ROOT, cleanEnv, temporary } from './luwak.mjs'

const ROUNDS = Number(process.env.TEST_ROUNDS ?? 200)
const LANES = 2
const WRITERS = 8
const ROUNDS_PER_DATA = 25 // then a fresh data directory

function faultPoints () {
  const found = new Set()
  const walk = dir => {
    for (const name of readdirSync(dir)) {
      const path = join(dir, name)
      if (statSync(path).isDirectory()) walk(path)
      else if (name.endsWith('.c')) {
        for (const [, point] of readFileSync(path, 'utf8').matchAll(/FAULT\("((?:store|jobs)\.[a-z_]+)"\)/g)) found.add(point)
      }
    }
  }
  walk(join(ROOT, 'engine'))
  found.delete('store.backup') // no backup is made here
  return [...found].sort()
}

const below = n => Math.floor(Math.random() * n)
const run = (args) => new Promise(resolve => execFile(LUWAK, args, { env: cleanEnv(), timeout: 30000 },
  (error, out, err) => resolve({ code: error ? error.code ?? 1 : 0, out, err })))

class Server {
  constructor (data, fault) {
    const env = cleanEnv(fault ? { LUWAK_FAULT: fault } : {})
    this.child = spawn(LUWAK, ['serve', '--simulated', '--root', join(ROOT, 'tests/faults/root'), '--data', data, '--listen', '127.0.0.1:0', '--workers', '1'],
      { env, stdio: ['ignore', 'pipe', 'pipe'] })
    this.err = ''
    this.ended = new Promise(resolve => this.child.on('exit', (code, signal) => { this.dead = true; resolve({ code, signal }) }))
    this.child.stderr.on('data', d => { this.err = (this.err + d).slice(-4000) })
    this.up = new Promise(resolve => {
      let text = ''
      this.child.stdout.on('data', d => {
        text += d
        const at = /listening on 127\.0\.0\.1:(\d+)/.exec(text)
        if (at) { this.port = Number(at[1]); resolve(true) }
      })
      this.ended.then(() => resolve(false))
    })
    this.agent = new http.Agent({ keepAlive: true, maxSockets: WRITERS })
  }

  ask (method, path, body) {
    return new Promise((resolve, reject) => {
      const request = http.request({ host: '127.0.0.1', port: this.port, method, path, agent: this.agent }, answer => {
        const parts = []
        answer.on('data', d => parts.push(d))
        answer.on('end', () => resolve({ status: answer.statusCode, body: Buffer.concat(parts).toString() }))
        answer.on('error', reject)
      })
      request.on('error', reject)
      request.end(body)
    })
  }

  async kill () {
    if (!this.dead) this.child.kill('SIGKILL')
    const end = await this.ended
    this.agent.destroy()
    return end
  }
}

async function check (server, acked) {
  let answer
  do { // the scripts are live a moment after the port is
    answer = await server.ask('GET', '/load')
  } while (answer.status === 404 || answer.status === 503)
  assert.equal(answer.status, 200, answer.body)
  const there = JSON.parse(answer.body)
  const keys = new Set(there.keys)
  const lost = [...acked].filter(k => !keys.has(k))
  assert.deepEqual(lost, [], 'acknowledged, but not there')
  assert.deepEqual([...there.events].sort(), [...there.keys].sort(), 'a commit is there in part')
  assert.equal(there.jobs, keys.size, 'a commit is there without its job')
}

async function write (server, lane, round, acked) {
  let n = 0
  const writer = async (w) => {
    while (!server.dead) {
      const key = `${lane}-${round}-${w}-${n++}`
      try {
        const answer = await server.ask('POST', '/load/' + key, JSON.stringify({ key, text: 'x'.repeat(below(600)) }))
        if (answer.status === 201) acked.add(key)
        else if (answer.status !== 404) return assert.fail(`${answer.status} ${answer.body}`)
      } catch (e) {
        if (e instanceof assert.AssertionError) throw e
        return // the connection broke: this write may be there or not
      }
    }
  }
  await Promise.all(Array.from({ length: WRITERS }, (_, w) => writer(w)))
}

async function lane (number, rounds, points, tally) {
  let data = null
  let acked = new Set()
  for (let round = 0; round < rounds; round++) {
    if (round % ROUNDS_PER_DATA === 0) {
      if (data) rmSync(data, { recursive: true, force: true })
      data = temporary()
      acked = new Set()
    }
    const point = round % 2 === 0 ? null : points[below(points.length)]
    const server = new Server(data, point && `${point}=kill@${1 + below(point === 'store.checkpoint' ? 2 : 30)}`)
    if (await server.up) {
      const dead = new Promise(resolve => setTimeout(resolve, point === 'store.checkpoint' ? 1500 : 5 + below(120)))
        .then(() => server.kill())
      try {
        await check(server, acked)
        await write(server, number, round, acked)
      } catch (e) {
        if (e instanceof assert.AssertionError) throw e // else: killed while we looked
      }
      await dead
    }
    const { signal, code } = await server.kill()
    assert.equal(signal, 'SIGKILL', `it ended by itself (${code}):\n${server.err}`)
    tally.kills++
    const verified = await run(['verify', '--simulated', '--data', data])
    // killed before there was a file, there is nothing to verify yet
    const empty = acked.size === 0 && /there is no database/.test(verified.err)
    if (!empty) assert.equal(verified.code, 0, verified.out + verified.err)
  }
  const last = new Server(data)
  assert.ok(await last.up, last.err)
  await check(last, acked)
  await last.kill()
  tally.acked += acked.size
}

test(`${ROUNDS} kills lose nothing that was acknowledged`, { timeout: 36e6 }, async t => {
  const points = faultPoints()
  assert.ok(points.length >= 5, points.join(' '))
  const tally = { kills: 0, acked: 0 }
  await Promise.all(Array.from({ length: LANES }, (_, i) => lane(i, Math.ceil(ROUNDS / LANES), points, tally)))
  t.diagnostic(`${tally.kills} kills; ${tally.acked} acknowledged writes in the last data directories; points: ${points.join(' ')}`)
  assert.ok(tally.acked > 0, 'nothing was ever acknowledged')
})
