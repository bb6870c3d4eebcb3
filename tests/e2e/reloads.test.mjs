// Many reloads of a script that is in use leave the server's memory flat. Two looks make a version, so
// SIGHUP is sent twice per save in place of waiting for the poll.
//
// TEST_ROUNDS (400): how many.
import { test } from 'node:test'
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import http from 'node:http'
import { Server, root, until } from './server.mjs'

const ROUNDS = Number(process.env.TEST_ROUNDS ?? 400)

test(`${ROUNDS} reloads leave memory flat`, async () => {
  const dir = root('scripts/api/ping.lua')
  const path = join(dir, 'scripts/api/hot.lua')
  writeFileSync(join(dir, 'scripts/lib/word.lua'), 'return { word = "x" }')
  const save = n => writeFileSync(path, `-- version ${n}\nlocal m = require "word"\nlocal big = {}\nfor i = 1, 500 do big[i] = m.word .. i end\nreturn { api = 1, routes = { ["GET /v1/hot"] = { auth = "none", run = function(req) return 200, { n = ${n}, big = #big } end } } }\n`)
  save(0)
  const s = await Server.start({ dir })
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
  let hups = 0
  const look = async () => {
    s.child.kill('SIGHUP')
    hups++
    await until('the look', () => s.events('reload').length >= hups)
  }
  // SQLite keeps the pages it wrote, up to a bound: each version is a kilobyte of them. What is left
  // is ours.
  const cache = async () => Number(/^luwak_store_cache_bytes (\d+)$/m.exec((await s.get('/metrics', { agent })).body)[1])
  const ours = async () => s.rss() - await cache()
  let early = 0
  for (let n = 1; n <= ROUNDS; n++) {
    save(n)
    await look()
    await look()
    await until(`version ${n}`, async () => (await s.get('/v1/hot', { agent })).json().n === n)
    s.log.length = 0
    hups = 0
    if (n === Math.ceil(ROUNDS / 4)) early = await ours()
    if (n % Math.ceil(ROUNDS / 10) === 0) console.log(`# after ${n}: ${s.rss() >> 10} kB, ${await cache() >> 10} of them pages`)
  }
  const grown = await ours() - early
  console.log(`# ${ROUNDS} reloads: ${early >> 10} kB without pages after a quarter, ${await ours() >> 10} kB at the end`)
  if (!/asan|tsan/.test(process.env.LUWAK ?? '')) assert.ok(grown < 2 << 20, `${grown >> 10} kB more`)
  agent.destroy()
  await s.stop()
})
