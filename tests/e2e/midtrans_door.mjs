// A server with all that is shipped, and Midtrans' own client from npm, unchanged, as a shop of ours uses it: its
// base URLs lead here, its key is the merchant's API key.
import assert from 'node:assert/strict'
import { cpSync } from 'node:fs'
import { createHash } from 'node:crypto'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { ROOT, temporary } from './luwak.mjs'
import { Server } from './server.mjs'

const require = createRequire(import.meta.url)
export const { CoreApi, Snap, MidtransError } = require('midtrans-client')
const ApiConfig = require('midtrans-client/lib/apiConfig')

export const KEY = 'sk_test_demo'
export const basic = key => ({ authorization: 'Basic ' + Buffer.from(key + ':').toString('base64') })
export const signature = (n, key = KEY) => createHash('sha512').update(n.order_id + n.status_code + n.gross_amount + key).digest('hex')

export function shipped () {
  const dir = join(temporary(), 'root')
  for (const part of ['channels', 'rules', 'scripts']) cpSync(join(ROOT, part), join(dir, part), { recursive: true })
  return dir
}

export class Door {
  static async start (options = {}) {
    const d = new Door()
    d.s = await Server.start({ dir: shipped(), args: ['--workers', '2'], ...options })
    ApiConfig.CORE_SANDBOX_BASE_URL = d.s.base
    ApiConfig.SNAP_SANDBOX_BASE_URL = `${d.s.base}/snap/v1`
    Object.assign(d, d.client(KEY))
    return d
  }

  client (serverKey) {
    const keys = { isProduction: false, serverKey, clientKey: 'unused' }
    return { core: new CoreApi(keys), snap: new Snap(keys) }
  }

  order () { return `door-${this.next = (this.next ?? 0) + 1}` }
  charge (payment_type, more = {}, order_id = this.order(), gross_amount = 44000) {
    return this.core.charge({ payment_type, transaction_details: { order_id, gross_amount }, ...more })
  }

  va (bank, order_id) { return this.charge('bank_transfer', { bank_transfer: { bank } }, order_id) }

  // as our own API has it
  async payments (order_id, key = KEY) {
    const r = await this.s.get(`/v1/payments?order_id=${encodeURIComponent(order_id)}`, { headers: basic(key) })
    assert.equal(r.status, 200, r.body)
    return r.json().data
  }

  // Somebody pays, at the provider that carries it.
  async pay (order_id) {
    const [p] = await this.payments(order_id)
    const r = await this.s.post(`/sandbox/${p.channel.split('_')[0]}/_control`, { pay: p.id })
    assert.equal(r.status, 200, r.body)
  }

  async clock (advance) { assert.equal((await this.s.post('/sandbox/_clock', { advance })).status, 200) }
}

// The code that the client rejects with, and the body that it shows.
export async function refused (code, promise) {
  const e = await promise.then(t => assert.fail(`not refused: ${JSON.stringify(t)}`), e => e)
  assert.ok(e instanceof MidtransError, String(e))
  assert.equal(Number(e.httpStatusCode), code, e.message)
  assert.equal(e.ApiResponse.status_code, String(code))
  assert.match(e.ApiResponse.id, /^[0-9a-f-]{36}$/)
  assert.ok(e.ApiResponse.status_message)
  return e.ApiResponse
}
