// Hot load under load: 64 connections on a scripted route while its file is saved 200 times, in every
// way that people and machines save, whole, halved and broken. No request fails; what is good
// serves within a second; what is broken is reported with file and line while the old goes on.
//
// TEST_SAVES (200): how many.
import { test } from 'node:test'
import assert from 'node:assert/strict'
import { closeSync, mkdirSync, openSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync, writeSync } from 'node:fs'
import http from 'node:http'
import { join } from 'node:path'
import { Server, root, sleep, until } from './server.mjs'

const SAVES = Number(process.env.TEST_SAVES ?? 200)
const CONNECTIONS = 64

const script = n => `-- scripts/api/hot.lua, version ${n}
local n = ${n}
return {
  api = 1,
  routes = {
    ["POST /v1/hot"] = { auth = "none", run = function(req) return 200, { n = n, got = req:json() } end },
  },
}
`
// Broken ones, each with the line that must be named.
const BROKEN = [
  n => [`-- ${n}\nlocal n = ${n}\nreturn {\n  api = = 1,\n}\n`, 4],
  n => [`-- ${n}\n\nerror("refused by itself ${n}")\n`, 3],
  n => [`-- ${n}\nlocal t = nil\nreturn t.x${n}\n`, 3],
  n => [`-- ${n}\nreturn {\n  api = 1,\n  routes = {\n    ["POST /v1/hot"] = function(req) return 200 end\n`, 6],
  // which instruction of the loop the budget met is not ours to say
  n => [`local n = ${n}\nlocal t = 0\nwhile true do\n  t = t + 1\n  t = t - 1\nend\n`, '[2-6]'],
  n => [`local n = ${n}\nlocal t = {}\nfor i = 1, 1e9 do t[i] = ("x"):rep(1000) .. i end\n`, 3],
]

class Load {
  constructor (server) {
    this.server = server
    this.agent = new http.Agent({ keepAlive: true, maxSockets: CONNECTIONS, maxFreeSockets: CONNECTIONS })
    this.failed = []
    this.answers = 0
    this.newest = 0
    this.allowed = new Set([0])
    this.going = true
    this.lag = 0
    let last = Date.now()
    this.ticks = setInterval(() => { this.lag = Math.max(this.lag, Date.now() - last - 10); last = Date.now() }, 10)
    this.loops = Array.from({ length: CONNECTIONS }, (_, i) => this.loop(i))
  }

  async loop (i) {
    for (let k = 0; this.going; k++) {
      const mine = { connection: i, k }
      try {
        const r = await this.server.post('/v1/hot', mine, { agent: this.agent })
        const body = r.status === 200 ? r.json() : {}
        if (r.status !== 200 || body.got?.k !== k || body.got?.connection !== i) this.failed.push(`${r.status} ${r.body}`)
        else if (!this.allowed.has(body.n)) this.failed.push(`version ${body.n} served, allowed ${[...this.allowed]}`)
        this.newest = Math.max(this.newest, body.n ?? 0)
        this.answers++
      } catch (e) {
        this.failed.push(String(e))
      }
      await sleep(20)
    }
  }

  async stop () {
    this.going = false
    await Promise.all(this.loops)
    this.agent.destroy()
    clearInterval(this.ticks)
  }
}

function slowly (path, text, parts, pause) {
  return (async () => {
    const fd = openSync(path, 'w') // the file is empty from here
    for (let i = 0; i < parts; i++) {
      if (i) await sleep(pause)
      writeSync(fd, text.slice(Math.floor(text.length * i / parts), Math.floor(text.length * (i + 1) / parts)))
    }
    closeSync(fd)
  })()
}

test(`${SAVES} saves under ${CONNECTIONS} connections`, async t => {
  const dir = root('scripts/api/ping.lua')
  const path = join(dir, 'scripts/api/hot.lua')
  writeFileSync(path, script(0))
  const server = await Server.start({ dir })
  const load = new Load(server)
  t.after(() => { load.going = false; load.agent.destroy(); clearInterval(load.ticks); server.kill() })
  const serving = async n => until(`version ${n}`, () => load.newest === n || load.failed.length > 0)
  await until('a first answer', () => load.answers > 0)

  const inPlace = text => writeFileSync(path, text)
  const renamed = text => {
    writeFileSync(path + '.tmp~', text)
    renameSync(path + '.tmp~', path)
  }
  let mounts = 0
  const swapped = text => { // as a Kubernetes volume does it
    const at = join(dir, 'scripts/api')
    mkdirSync(join(at, `..${++mounts}`))
    writeFileSync(join(at, `..${mounts}`, 'hot.lua'), text)
    symlinkSync(`..${mounts}`, join(at, '..data_tmp'))
    renameSync(join(at, '..data_tmp'), join(at, '..data'))
    if (mounts === 1) {
      symlinkSync('..data/hot.lua', join(at, 'hot.lua.new'))
      renameSync(join(at, 'hot.lua.new'), path)
    } else {
      rmSync(join(at, `..${mounts - 1}`), { recursive: true })
    }
  }
  const removed = async text => { // an editor that removes first
    unlinkSync(path)
    await sleep(30)
    writeFileSync(path, text)
  }
  const halved = text => slowly(path, text, 2, 40)
  const torn = text => slowly(path, text, 3, 700) // long enough to be taken for whole

  let slowest = 0
  let reported = 0
  let good = 0
  for (let n = 1; n <= SAVES; n++) {
    const phase = n <= SAVES * 0.4 ? inPlace : n <= SAVES * 0.7 ? renamed : swapped
    if (n % 4 === 3) {
      const [text, line] = BROKEN[(n >> 2) % BROKEN.length](n)
      const before = server.log.length
      phase(text)
      const said = await until(`report of ${n}`, () => server.log.slice(before).find(l => l.event === 'script_broken'))
      assert.equal(said.path, 'scripts/api/hot.lua')
      assert.match(said.error, new RegExp(`scripts/api/hot\\.lua:${line}:`), said.error)
      assert.ok(said.serving, 'the old one serves')
      reported++
      continue
    }
    let save = phase
    if (phase !== swapped) save = n % 20 === 1 ? torn : n % 10 === 4 ? halved : n % 10 === 8 ? removed : phase
    load.allowed = new Set([load.newest, n])
    await save(script(n))
    const saved = Date.now()
    load.lag = 0
    await serving(n)
    const took = Date.now() - saved
    assert.deepEqual(load.failed.slice(0, 5), [])
    assert.ok(took - 2 * load.lag <= 1000, `version ${n} served after ${took} ms (${save.name}, the test itself stood still for ${load.lag} ms)`)
    slowest = Math.max(slowest, took)
    good++
  }
  await load.stop()
  assert.deepEqual(load.failed.slice(0, 5), [])
  assert.ok(load.answers > SAVES * 10)
  console.log(`# ${load.answers} answers, ${good} good versions, the slowest after ${slowest} ms, ${reported} broken ones`)
  await server.stop()
})
