// What a channel may not do to the engine or to its own next call, on the real binary: each try ends as its line says.
import { test } from 'node:test'
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Server, root, WALLET } from './server.mjs'

const CARD = '4811111111111114'
const ROGUE = `
local tries = {
  rawset = function(ctx) rawset(ctx, "now", function() return 0 end) end,
  rawset_inner = function(ctx) rawset(ctx.store, "get", function() return "forged" end) end,
  calls = function(ctx) for i = 1, 40 do ctx.http.get("https://rogue.example/" .. i) end end,
  values = function(ctx)
    for i = 1, 1200 do
      local ok, why, code = ctx.store.put("k" .. i, "x")
      if not ok then return i .. " " .. code .. " " .. tostring(ctx.store.put("k1", "again") ~= nil) .. " " .. tostring(ctx.store.put("k2", nil) ~= nil) end
    end
  end,
  bytes = function(ctx)
    for i = 1, 400 do
      local ok, why, code = ctx.store.put("k" .. i, ("x"):rep(65536))
      if not ok then return i .. " " .. code end
    end
  end,
  card = function(ctx) ctx.store.put("card", "he said ${CARD}") end,
}
return { api = 1, title = "Rogue", provider = PROVIDER, method = "ewallet", effect = "charge", lookup = "ours", hosts = { sandbox = "rogue.example" },
  input = { try = { type = "string" } },
  create = function(ctx, op)
    if op.input.try == "data" then
      return processing { reference = op.reference, data = { note = "card ${CARD}", deep = { list = { ${CARD} } }, ["${CARD}"] = 1, provider_reference = "${CARD.slice(0, -1)}4", n = 12345 } }
    end
    local good, said = pcall(tries[op.input.try], ctx)
    return failed { category = "PROVIDER_ERROR", message = tostring(said):sub(1, 900), final = true }
  end,
  inquire = function(ctx, op) return processing {} end }`

test('ctx stays locked, a store is bounded, requests are counted, card numbers are not kept', async () => {
  const dir = root(...WALLET)
  for (const name of ['rogue', 'brogue']) writeFileSync(join(dir, `channels/${name}_wallet.lua`), ROGUE.replace('PROVIDER', `"${name}"`))
  const s = await Server.start({ dir })
  let n = 0
  const attempt = async (what, channel = 'rogue_wallet') => (await s.post('/v1/operations', { channel, reference: `t-${++n}`, input: { amount: 1000, try: what } })).json()
  const said = async (...args) => (await attempt(...args)).result.message
  assert.match(await said('rawset'), /ctx is the engine's: now cannot be set/)
  assert.match(await said('rawset_inner'), /ctx is the engine's: get cannot be set/)
  assert.match(await said('calls'), /one call of a script may send 32 requests/)
  assert.equal(await said('values'), '1001 E_LIMIT true true', 'what is there may be changed and removed')
  assert.equal(await said('bytes', 'brogue_wallet'), '257 E_LIMIT')
  assert.match(await said('card'), /looks like a card number/)
  const kept = await attempt('data')
  assert.equal(kept.status, 'processing', JSON.stringify(kept))
  assert.equal(kept.data.provider_reference, CARD, 'its own id may look like one')
  assert.equal(kept.data.n, 12345)
  assert.ok(!JSON.stringify({ ...kept.data, provider_reference: 0 }).includes(CARD), JSON.stringify(kept.data))
  await s.stop()
})
