// How many rows each table has, of a server that serves a copy of all scripts: what a bad request must not change.
import assert from 'node:assert/strict'
import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from './luwak.mjs'

// what the engine does by its own clock is no request's doing
const OWN = ['meta', 'cron', 'job', 'sqlite_sequence']
const ROUTE = 'return { api = 1, routes = { ["GET /test/rows"] = { auth = "none", run = function() return 200, json.array(store.query("test_rows")) end } } }'

// Puts what counts into the root folder, before the server starts.
export function countable (dir) {
  const schema = join(ROOT, 'engine/store'), tables = []
  for (const file of readdirSync(schema).filter(f => /^sqlite_schema.*\.c$/.test(f))) {
    for (const [, name] of readFileSync(join(schema, file), 'utf8').matchAll(/CREATE TABLE (\w+)/g)) if (!OWN.includes(name)) tables.push(name)
  }
  assert.ok(tables.includes('payment') && tables.includes('idempotency') && tables.includes('inbox'))
  writeFileSync(join(dir, 'scripts/queries/test_rows.sql'), tables.map(t => `SELECT '${t}' AS name, count(*) AS n FROM ${t}`).join('\nUNION ALL '))
  writeFileSync(join(dir, 'scripts/api/test_rows.lua'), ROUTE)
}

export const rows = async s => Object.fromEntries((await s.get('/test/rows')).json().map(r => [r.name, r.n]))

// The tables in which the second count differs.
export const changed = (before, after) => Object.keys(after).filter(name => after[name] !== before[name])
