// What the tests of Xendit's own clients share: a server with its simulator, and one who hears callbacks.
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Server, root } from './server.mjs'

export const KEY = 'xnd_development_demo'
export const TOKEN = 'xnd-callback-demo'
const AUTH = { authorization: 'Basic ' + Buffer.from(KEY + ':').toString('base64') }

// Hears callbacks and answers them with the status in the path.
const HEAR = `return { api = 1, routes = {
  ["POST /hear/:status"] = { auth = "none", run = function(req)
    log.info("heard", { status = req.params.status, body = req.body, webhook = req.headers["webhook-id"],
      right = req.headers["x-callback-token"] == "xnd-callback-demo", ms = time.now() })
    return tonumber(req.params.status), ""
  end } } }`

export async function start (data) {
  const dir = root('scripts/sandbox/xendit.lua', 'scripts/lib/simulator.lua', 'scripts/lib/sandbox_xendit.lua', 'scripts/lib/sandbox_xendit_products.lua', 'scripts/lib/sandbox_xendit_books.lua',
    'scripts/jobs/simulator.lua')
  writeFileSync(join(dir, 'scripts/api/hear.lua'), HEAR)
  const s = await Server.start({ dir, data, args: ['--workers', '2'] })
  const url = `${s.base}/sandbox/xendit`
  const orders = { n: 0 }
  return {
    s,
    url,
    order: () => `sdk-${++orders.n}`,
    clock: advance => s.post('/sandbox/_clock', { advance }),
    async control (body, status = 200) {
      const r = await s.post('/sandbox/xendit/_control', body)
      assert.equal(r.status, status, r.body)
      return r.json()
    },
    raw: (path, body, headers = {}) => s.post('/sandbox/xendit' + path, body, { headers: { ...AUTH, ...headers } }),
    heard: (reference, status = 200) => s.events('heard').filter(l => l.status === String(status) && l.body.includes(`"${reference}"`)),
  }
}
