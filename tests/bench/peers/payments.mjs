// The peer of the payment measurements: POST /v1/payments for our own virtual accounts and Midtrans'
// callback with Fastify and better-sqlite3, the same rows into the same schema, written the way a careful
// Node team would: WAL, synchronous=FULL, prepared statements, account numbers kept in memory, ids that
// rise with time. The database was made by the engine; nothing is created here. No rules, no scripts, no
// limits, no metrics: what Luwak does besides is its own cost.
//
//     node payments.mjs DATABASE PORT MERCHANT each|batch
//
// each: one transaction per request, as such services are written. batch: the requests that have come in
// share one transaction and are answered behind it, our own way of committing put into Node.
import { createCipheriv, createHash, createHmac, randomBytes, randomInt, timingSafeEqual } from "node:crypto";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const require = createRequire(pathToFileURL(process.cwd() + "/"));
const Database = require("better-sqlite3");
const fastify = require("fastify");

const [file, port, merchant, way] = process.argv.slice(2);
const SERVER_KEY = "SB-Mid-server-demo";
const DAY = 86400000;
const POOL = "self:va";
const db = new Database(file, { fileMustExist: true });
for (const pragma of ["journal_mode = WAL", "synchronous = FULL", "foreign_keys = 1", "cache_size = -32768", "wal_autocheckpoint = 4000"]) db.pragma(pragma);

const q = (sql) => db.prepare(sql);
const one = {
  key: q("SELECT k.merchant, k.revoked, m.status, m.rate FROM api_key k JOIN merchant m ON m.id = k.merchant WHERE k.hash = ?"),
  idempotency: q("SELECT hash, status, answer FROM idempotency WHERE merchant = ? AND path = ? AND key = ?"),
  order: q("SELECT id, amount, method, status FROM payment WHERE merchant = ? AND order_id = ? AND closed = 0"),
  head: q("SELECT coalesce(max(n), 0) AS n FROM payment"),
  attempt: q("SELECT id, payment, generation, status, doc, version FROM operation WHERE account = ? AND reference = ?"),
  payment: q("SELECT * FROM payment WHERE id = ?"),
  money: q("SELECT amount FROM movement WHERE account = ? AND money_id = ?"),
  inbox: q("SELECT id, status, answer FROM inbox WHERE account = ? AND hash = ?"),
  account: q("SELECT n FROM ledger_account WHERE name = ?"),
  topic: q("SELECT id, last FROM topic WHERE name = ?"),
  endpoint: q("SELECT id FROM endpoint WHERE merchant = ? AND state = 'enabled'"),
};
const add = {
  sweep: q("DELETE FROM slot WHERE pool = ? AND until <= ?"),
  slot: q("INSERT INTO slot VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"),
  payment: q(`INSERT INTO payment (n, id, merchant, order_id, closed, status, generation, open, amount, amount_due, currency, method,
    channel, bank, attempt, instructions, doc, expires_at, created, updated) VALUES (?, ?, ?, ?, 0, 'pending', 1, 0, ?, ?, ?, 'virtual_account',
    'self_va', 'self', ?, ?, ?, ?, ?, ?)`),
  attempt: q(`INSERT INTO operation (id, kind, script, version, account, reference, status, doc, payment, amount, created, updated)
    VALUES (?, 'create', 'channels/self_va.lua', ?, 'self', ?, 'pending', ?, ?, ?, ?, ?)`),
  attemptKey: q("INSERT INTO operation_key VALUES ('self', 'va_number', ?, ?, 0)"),
  topic: q("INSERT INTO topic (name, last) VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET last = last + 1"),
  event: q("INSERT INTO event VALUES (?, ?, ?, ?, ?, ?)"),
  delivery: q("INSERT INTO delivery VALUES (?, ?, 'waiting', 0, ?, NULL, NULL, ?, ?)"),
  fanned: q("UPDATE endpoint SET cursor = ? WHERE id = ?"),
  idempotency: q("INSERT INTO idempotency VALUES (?, ?, ?, ?, ?, 201, ?, ?)"),
  inbox: q(`INSERT INTO inbox (account, key, body, hash, state, reference, money_id, amount, paid_at, payment, status, answer, at, updated)
    VALUES ('midtrans', ?, ?, ?, 'applied', ?, ?, ?, ?, ?, 200, ?, ?, ?)`),
  movement: q(`INSERT INTO movement (account, money_id, payment, operation, amount, counted, held, why, source, paid_at, at)
    VALUES ('midtrans', ?, ?, ?, ?, ?, 0, 'due', 'callback', ?, ?)`),
  account: q("INSERT INTO ledger_account (name, merchant, floor) VALUES (?, ?, ?)"),
  entry: q("INSERT INTO ledger_entry (debit, credit, amount, kind, object, at) VALUES (?, ?, ?, ?, ?, ?)"),
};
const move = {
  attempt: q("UPDATE operation SET status = 'success', generation = generation + 1, updated = ? WHERE id = ? AND generation = ?"),
  payment: q(`UPDATE payment SET generation = generation + 1, status = 'success', received = ?, amount_paid = ?, unsettled = ?, settle_at = ?,
    fee = ?, failure = NULL, paid_at = ?, updated = ? WHERE id = ? AND generation = ?`),
};

const RISING = "0123456789abcdefghjkmnpqrstvwxyz";
let lastTime = 0, lastCount = 0;
function id(prefix, now) { // 48 bits of time, a count, the rest random
  lastCount = now === lastTime ? lastCount + 1 : 0;
  lastTime = now;
  let text = "", left = now;
  for (let i = 0; i < 10; i++, left = Math.floor(left / 32)) text = RISING[left % 32] + text;
  const random = randomBytes(13);
  text += RISING[(lastCount >> 10) & 31] + RISING[(lastCount >> 5) & 31] + RISING[lastCount & 31];
  for (let i = 0; i < 13; i++) text += RISING[random[i] & 31];
  return prefix + text;
}

const WIB = 7 * 3600000;
const time = (ms) => (ms ? new Date(ms + WIB).toISOString().slice(0, 23) + "+07:00" : null);
const sha256 = (text) => createHash("sha256").update(text).digest();
const VERSION = sha256("channels/self_va.lua").toString("hex");

function shown(p, attempt) {
  const doc = JSON.parse(p.doc);
  return JSON.stringify({
    id: p.id, object: "payment", livemode: false, order_id: p.order_id, status: p.status, amount: p.amount, amount_due: p.amount_due,
    amount_paid: p.amount_paid, amount_refunded: 0, amount_reversed: 0, currency: p.currency, method: p.method, channel: p.channel, bank: p.bank,
    customer: null, fee: p.fee ? JSON.parse(p.fee) : null, instructions: JSON.parse(p.instructions), checkout_url: null, failure: null,
    attempts: [attempt], items: doc.items ?? null, description: doc.description ?? null, metadata: doc.metadata ?? null,
    scripts: { channel: VERSION, fee: null }, expires_at: time(p.expires_at), created_at: time(p.created), paid_at: time(p.paid_at),
  });
}

function tell(type, object, text, now) {
  add.topic.run(merchant);
  const topic = one.topic.get(merchant);
  add.event.run(topic.id, topic.last, type, object, Buffer.from(text), now);
  for (const endpoint of one.endpoint.all(merchant)) {
    add.delivery.run(endpoint.id, topic.last, now, now, now);
    add.fanned.run(topic.last, endpoint.id);
  }
}

// ---- create ----

const PATH = "POST /v1/payments";

function create(key, raw, order) {
  const now = Date.now(), hash = sha256(raw);
  const before = one.idempotency.get(merchant, PATH, key);
  if (before) return before.hash.equals(hash) ? { status: before.status, text: before.answer.toString() } : { status: 422, text: "{}" };
  if (one.order.get(merchant, order.order_id)) return { status: 409, text: "{}" };
  const expires = now + (order.expires_in ? order.expires_in * 1000 : DAY);
  let number;
  add.sweep.run(POOL, now);
  do number = randomInt(0, 1e10); while (add.slot.run(POOL, number, "", expires + 30 * DAY).changes === 0);
  const va = "88088" + String(number).padStart(10, "0");
  const p = {
    n: one.head.get().n + 1, id: id("pay_", now), order_id: order.order_id, status: "pending", amount: order.amount, amount_due: order.amount,
    amount_paid: 0, currency: order.currency, method: "virtual_account", channel: "self_va", bank: "self",
    instructions: JSON.stringify({ type: "va_number", bank: "self", va_number: va }),
    doc: JSON.stringify({ items: order.items, description: order.description, metadata: order.metadata }), expires_at: expires, created: now,
  };
  const attempt = { id: id("att_", now), channel: "self_va", reference: order.order_id, status: "pending" };
  const { order_id, amount, currency, description, items, metadata } = order;
  add.payment.run(p.n, p.id, merchant, order_id, amount, amount, currency, attempt.id, Buffer.from(p.instructions), Buffer.from(p.doc), expires, now, now);
  add.attempt.run(attempt.id, VERSION, order_id, Buffer.from(JSON.stringify({ data: { number },
    input: { amount, currency, description, items, metadata, order_id }, result: { expires_at: expires, va_number: va } })), p.id, amount, now, now);
  add.attemptKey.run(va, attempt.id);
  const text = shown(p, attempt);
  add.idempotency.run(merchant, PATH, key, hash, p.id, Buffer.from(text), now);
  tell("payment.created", p.id, text, now);
  return { status: 201, text };
}

// ---- settle ----

const dataKey = randomBytes(32);
const fits = (a, b) => a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));

function seal(key, text) {
  const nonce = randomBytes(12), c = createCipheriv("aes-256-gcm", key, nonce);
  return Buffer.concat([nonce, c.update(text), c.final(), c.getAuthTag()]);
}

const accounts = new Map();
function account(name, owner = null, floor = 0) {
  let n = accounts.get(name) ?? one.account.get(name)?.n;
  if (n === undefined) n = Number(add.account.run(name, owner, floor).lastInsertRowid);
  accounts.set(name, n);
  return n;
}

function settle(raw, note) {
  const now = Date.now(), amount = Number(note.gross_amount.split(".")[0]);
  const a = one.attempt.get("midtrans", note.order_id);
  if (!a) return { status: 503, text: "{}" };
  const hash = createHmac("sha256", dataKey).update(raw).digest();
  const known = one.inbox.get("midtrans", hash);
  if (known) return { status: known.status, text: known.answer.toString() };
  const seen = one.money.get("midtrans", note.transaction_id);
  const p = one.payment.get(a.payment);
  if (seen || p.status !== "pending" || amount !== p.amount_due) return { status: 409, text: "{}" };
  const key = randomBytes(32), paid = Date.parse(note.settlement_time.replace(" ", "T") + "+07:00"), settles = now + 2 * DAY;
  const text = JSON.stringify({ status: "applied" });
  const fee = { total: 4440, bearer: "merchant", lines: [{ name: "transaction", amount: 4000 }, { name: "ppn", amount: 440 }] };
  add.movement.run(note.transaction_id, p.id, a.id, amount, amount, paid, now);
  const pending = account("merchant_payable.pending:" + merchant, merchant, 1);
  add.entry.run(account("provider_receivable:midtrans"), pending, amount, "payment", p.id, now);
  add.entry.run(pending, account("fee_income"), 4000, "fee", p.id, now);
  add.entry.run(pending, account("output_vat"), 440, "vat", p.id, now);
  if (move.attempt.run(now, a.id, a.generation).changes !== 1) throw new Error("the attempt has moved on");
  const after = { ...p, status: "success", amount_paid: amount, fee: JSON.stringify(fee), paid_at: paid };
  const moved = move.payment.run(amount, amount, amount - 4440, settles, Buffer.from(after.fee), paid, now, p.id, p.generation);
  if (moved.changes !== 1) throw new Error("the payment has moved on");
  add.inbox.run(seal(dataKey, key), seal(key, raw), hash, note.order_id, note.transaction_id, amount, paid, p.id, Buffer.from(text), now, now);
  tell("payment.succeeded", p.id, shown(after, { id: a.id, channel: p.channel, reference: note.order_id, status: "success" }), now);
  return { status: 200, text };
}

// ---- transactions ----

const alone = db.transaction((work) => work());
const together = db.transaction((list) => list.map((entry) => entry.work()));
let waiting = [];

function flush() {
  const list = waiting;
  waiting = [];
  try {
    const answers = together.immediate(list);
    list.forEach((entry, i) => entry.resolve(answers[i]));
  } catch { // one of them does not go in: each for itself
    for (const entry of list)
      try { entry.resolve(alone.immediate(entry.work)); } catch (e) { entry.reject(e); }
  }
}

function commit(work) {
  if (way === "each") return alone.immediate(work);
  return new Promise((resolve, reject) => {
    if (waiting.push({ work, resolve, reject }) === 1) setImmediate(flush);
  });
}

const app = fastify({ logger: false });
app.addContentTypeParser("application/json", { parseAs: "string" }, (request, body, done) => done(null, body));
const keyHash = q("SELECT hash FROM api_key WHERE merchant = ?").get(merchant).hash;

app.post("/v1/payments", async (request, reply) => {
  const given = Buffer.from((request.headers.authorization ?? "").slice(6), "base64").toString();
  sha256(given); // the engine's is keyed, so it cannot be made here; looked up it is all the same
  const caller = one.key.get(keyHash);
  if (!given.startsWith("sk_") || caller.revoked || caller.status !== "active") return reply.code(401).send();
  const order = JSON.parse(request.body);
  if (typeof order.order_id !== "string" || !Number.isInteger(order.amount) || order.amount < 1 || order.currency !== "IDR" ||
      order.method !== "virtual_account" || order.bank !== "self") return reply.code(400).send();
  const { status, text } = await commit(() => create(request.headers["idempotency-key"], request.body, order));
  return reply.code(status).type("application/json").send(text);
});

app.post("/callbacks/midtrans", async (request, reply) => {
  const note = JSON.parse(request.body);
  const right = createHash("sha512").update(note.order_id + note.status_code + note.gross_amount + SERVER_KEY).digest("hex");
  if (!fits(right, note.signature_key)) return reply.code(401).send();
  const { status, text } = await commit(() => settle(request.body, note));
  return reply.code(status).type("application/json").send(text);
});

await app.listen({ host: "127.0.0.1", port: Number(port) });
console.log("sqlite " + q("SELECT sqlite_version() AS v").get().v);
