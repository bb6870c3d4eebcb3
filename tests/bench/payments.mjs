// Payments: POST /v1/payments for self_va, and the callback of Midtrans that settles one (signature,
// movement, transition, ledger, event, outbox), each in one durable commit or more. The load is
// bench_load; every request is another payment. The merchant has a limit of a million requests a minute,
// set as an operator would, and one webhook endpoint that never answers, so that deliveries are written
// and next to none is sent.
//
//   against Fastify + better-sqlite3 (peers/payments.mjs): the same rows in the same schema
//   no core apart: the server on core 0 and the load on core 1 is how all are measured; here both may use both, on a
//     machine that small, for a server of one thread has no use for a second core and one with a writer has
//   settle against create: the callback is as fast
//   stored against empty: the same with BENCH_STORED payments before; that database is made once
//
// What is settled was created before, by bench_fill from one payment that the engine had made.
import { execFileSync, spawn } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createHash, randomUUID } from "node:crypto";
import net from "node:net";
import { join } from "node:path";
import { ROUNDS, SECONDS, freePort, here, lines, luwak, median, notes, programs, rate, rates, ratio, ready, repo, rounds, row, serve, sleep, stop, work }
  from "./lib.mjs";

const STORED = Number(process.env.BENCH_STORED ?? 5000000);
const CONNECTIONS = 64;
const SETTLED_MOST = 12000; // a second: so many open payments are made for each second of settling
const ORDERS = { paid: "paid-0000000000", gone: "gone-0000000000", open: "open-0000000000" };

const ONE = { server: "0", load: "1" }, ALL = { server: "0,1", load: "0,1" }; // cores: one each, or all of a small machine for both
const settings = (more) => ({ cwd: work, env: { PATH: process.env.PATH, LUWAK_LOG_LEVEL: "warn", ...more } });
const serverAt = (port, data, more = {}, cores = ONE.server) => serve("luwak", luwak, ["serve", "--simulated", "--workers", "1", "--root", repo, "--data", data,
  "--listen", `127.0.0.1:${port}`], { ...settings(more), cores });
const operator = (data, ...args) => execFileSync(luwak, [...args, "--simulated", "--data", data], { encoding: "utf8", ...settings(), cwd: repo }).trim();
const fill = (data, ...args) => execFileSync(join(programs, "bench_fill"), [join(data, "luwak.db"), ...args.map(String)]);

// ---- what there is before ----

async function call(port, who, path, body) {
  const answer = await fetch(`http://127.0.0.1:${port}${path}`, { method: "POST", body: JSON.stringify(body), headers: { "content-type": "application/json",
    authorization: "Basic " + Buffer.from(who.key + ":").toString("base64"), "idempotency-key": randomUUID().replaceAll("-", "") } });
  const text = await answer.text();
  if (answer.status > 201) throw new Error(`${path}: ${answer.status} ${text}`);
  return JSON.parse(text);
}

const create = (port, who, order, bank, more) => call(port, who, "/v1/payments", { order_id: order, amount: 150000, currency: "IDR",
  method: "virtual_account", bank, description: "Two tickets, row 7", metadata: { cart: "c-0", shop: "jakarta-3" },
  items: [{ name: "Ticket", quantity: 2, price: 75000 }], ...more });

// A data directory with the merchant and one payment of each kind, made by the engine: paid (and settled
// at once), cancelled, open for half a year.
async function begin(data) {
  rmSync(data, { recursive: true, force: true });
  mkdirSync(data, { recursive: true });
  const merchant = operator(data, "merchant", "new", "--name", "Bench", "--rate", "1000000");
  const key = /sk_\S+/.exec(operator(data, "key", "new", merchant))[0];
  const who = { merchant, key };
  const port = await freePort();
  const server = serverAt(port, data, { PAYMENT_SETTLEMENT_DAYS: "0" });
  await ready(port, "GET", "/v1/ping");
  const half_year = { expires_in: 180 * 86400 };
  const paid = await create(port, who, ORDERS.paid, "self", half_year), gone = await create(port, who, ORDERS.gone, "self", half_year);
  await create(port, who, ORDERS.open, "self", half_year);
  await call(port, who, "/sandbox/self/_control", { pay: paid.instructions.va_number, amount: 150000 });
  await call(port, who, `/v1/payments/${gone.id}/cancel`, {});
  await stop(server);
  rmSync(join(data, "lock"), { force: true });
  writeFileSync(join(data, "bench.json"), JSON.stringify({ ...who, made: Date.now() }));
  return who;
}

// The filled database, of this schema and size; made anew if not, or if its open payments end soon.
async function stored() {
  const data = join(repo, `build/bench/stored-${STORED}`), fresh = data + ".new";
  const sources = ["engine/store/sqlite_schema.c", "engine/store/sqlite_schema_core.c", "tests/bench/bench_fill.c"];
  const mark = createHash("sha256").update(sources.map((f) => readFileSync(join(repo, f))).join("")).digest("hex").slice(0, 16);
  const there = existsSync(join(data, "mark")) && readFileSync(join(data, "mark"), "utf8") === mark;
  if (there && Date.now() - JSON.parse(readFileSync(join(data, "bench.json"))).made < 21 * 86400000) return data;
  rmSync(data, { recursive: true, force: true });
  console.log(`     storing ${STORED.toLocaleString("en-US")} payments first (once)`);
  const began = Date.now();
  await begin(fresh);
  const part = (share) => Math.round(STORED * share);
  // the paid ones last: the copying looks for rows without indexes, and they have the most
  fill(fresh, "stored", ORDERS.open, "open-", 1, part(0.1), ORDERS.gone, "gone-", 1, part(0.3), ORDERS.paid, "paid-", 1, part(0.6));
  writeFileSync(join(fresh, "mark"), mark);
  renameSync(fresh, data);
  console.log(`     that took ${Math.round((Date.now() - began) / 1000)} s and ${(statSync(join(data, "luwak.db")).size / 2 ** 30).toFixed(1)} GB`);
  return data;
}

// ---- contenders ----

function load(cores, kind, port, seconds, tag, from, key, count = []) {
  return new Promise((done, fail) => {
    const child = spawn("taskset", ["-c", cores, join(programs, "bench_load"), kind, port, CONNECTIONS, seconds, tag, from, key, ...count].map(String));
    let text = "", wrong = "";
    child.stdout.on("data", (d) => (text += d));
    child.stderr.on("data", (d) => (wrong += d));
    child.on("exit", (code) => (code === 0 ? done(JSON.parse(text)) : fail(new Error(`${kind}: ${wrong}${text}`))));
  });
}

// One server on its own data: what it creates and settles in one measurement.
class Contender {
  constructor(name, data, who, start) {
    Object.assign(this, { name, data, who, start, cores: ONE, told: 0, part: 0, tag: "t" + Math.random().toString(36).slice(2, 5) + "-" });
    this.created = 0;
  }
  // What is told of, from one payment that is open at Midtrans, and the webhook endpoint.
  async prepare(hook) {
    const port = await freePort(), server = serverAt(port, this.data), auth = { authorization: "Basic " + Buffer.from(this.who.key + ":").toString("base64") };
    await ready(port, "GET", "/v1/ping");
    const one = await create(port, this.who, this.tag + "0000000000", "bca");
    if (one.status !== "pending") throw new Error("Midtrans' simulator made none: " + JSON.stringify(one));
    const there = await (await fetch(`http://127.0.0.1:${port}/v1/webhook_endpoints`, { headers: auth })).json();
    if (there.data.length === 0) await call(port, this.who, "/v1/webhook_endpoints", { url: hook });
    await stop(server);
    fill(this.data, one.order_id, this.tag, 1, Math.ceil(2 * (ROUNDS * SECONDS + 1) * SETTLED_MOST));
    this.told = 1;
  }
  async begin(cores = ONE) {
    this.cores = cores;
    this.port = await freePort();
    this.server = this.start(this.port, this.data, this.who, cores.server);
    for (let i = 0; ; i++) {
      if (await fetch(`http://127.0.0.1:${this.port}/v1/ping`).then(() => true, () => false)) break;
      if (i === 500) throw new Error(`${this.name} does not answer:\n${this.server.text}`);
      await sleep(20);
    }
  }
  async create(seconds) {
    const got = await load(this.cores.load, "create", this.port, seconds, "c" + this.tag, this.created, this.who.key);
    this.created = got.next;
    return got;
  }
  async settle(seconds) { // each time a part of the orders of its own
    const count = Math.ceil(seconds * SETTLED_MOST) - (Math.ceil(seconds * SETTLED_MOST) % 7919 === 0 ? 1 : 0);
    const got = await load(this.cores.load, "settle", this.port, seconds, this.tag, this.told, "SB-Mid-server-demo", [count]);
    this.told += count;
    return got;
  }
  end() { return stop(this.server); }
}

const ours = (port, data, who, cores) => serverAt(port, data, {}, cores);
const theirs = (way) => (port, data, who, cores) => serve("node", process.execPath, [join(here, "peers/payments.mjs"), join(data, "luwak.db"), String(port), who.merchant, way],
  { cwd: join(repo, "build/bench"), env: { PATH: process.env.PATH, NODE_ENV: "production" }, cores });

const ms = (list, q) => median(list.map((x) => x[q]));
const tail = (list) => `p50 ${ms(list, "p50").toFixed(1)} ms, p99 ${ms(list, "p99").toFixed(1)} ms`;

export async function measurePayments(peers, five) {
  const silent = net.createServer((socket) => socket.on("error", () => {})).listen(0, "127.0.0.1");
  silent.unref();
  await new Promise((r) => silent.once("listening", r));
  const base = join(work, "payments");
  const who = await begin(base);
  const copy = (name) => (cpSync(base, join(work, name), { recursive: true }), join(work, name));
  const list = [new Contender("luwak", copy("pay-luwak"), who, ours)];
  if (peers) list.push(new Contender("node", copy("pay-node"), who, theirs("each")), new Contender("batch", copy("pay-batch"), who, theirs("batch")));
  if (five) {
    const data = await stored();
    list.push(new Contender("stored", data, JSON.parse(readFileSync(join(data, "bench.json"))), ours));
  }
  for (const c of list) await c.prepare(`http://127.0.0.1:${silent.address().port}/`);
  execFileSync("sync"); // what was prepared is gigabytes: written back meanwhile, it would slow whom it does not belong to
  for (const c of list) await c.begin();
  const got = {};
  for (const kind of ["create", "settle"])
    got[kind] = await rounds(list.map((c) => ({ name: c.name, measure: (s) => c[kind](s), rest: 1500 })));
  for (const c of list) await c.end();
  const open = {}; // the same two, and nobody keeps to one core
  if (peers) {
    const two = list.slice(0, 2);
    for (const c of two) await c.begin(ALL);
    for (const kind of ["create", "settle"])
      open[kind] = await rounds(two.map((c) => ({ name: c.name, measure: (s) => c[kind](s), rest: 1500 })));
    for (const c of two) await c.end();
  }
  const label = { create: "create a payment", settle: "settle a callback" };
  for (const kind of ["create", "settle"]) {
    const mine = got[kind]("luwak");
    if (peers) {
      const other = got[kind]("node"), batch = got[kind]("batch"), r = ratio(mine, other);
      row(label[kind], rate(rates(mine)), "Fastify + better-sqlite3", rate(rates(other)), r.toFixed(2), kind === "create" ? "mark 5" : "no mark", kind !== "create" || r >= 5);
      row(label[kind], rate(rates(mine)), "the same, in batches", rate(rates(batch)), ratio(mine, batch).toFixed(2), "no mark", true);
      const worse = ms(mine, "p99") / Math.min(ms(other, "p99"), ms(batch, "p99"));
      row(label[kind] + ", p99", ms(mine, "p99").toFixed(1) + " ms", "the better of the two", Math.min(ms(other, "p99"), ms(batch, "p99")).toFixed(1) + " ms",
        worse.toFixed(2), "mark <= 1", worse <= 1);
      const wide = open[kind]("luwak"), their = open[kind]("node"), both = ratio(wide, their);
      row(label[kind] + ", no core apart", rate(rates(wide)), "Fastify + better-sqlite3", rate(rates(their)), both.toFixed(2), kind === "create" ? "mark 5" : "no mark",
        kind !== "create" || both >= 5);
      notes.push(`no core apart, ${kind}: Luwak ${tail(wide)}; Fastify + better-sqlite3 ${tail(their)}`);
      notes.push(`${kind}: Luwak ${tail(mine)}; Fastify + better-sqlite3 ${tail(other)}; in batches ${tail(batch)}`);
    }
    if (five) {
      const after = got[kind]("stored"), r = ratio(after, mine);
      row(`${label[kind]}, ${STORED / 1e6} million stored`, rate(rates(after)), "the same, none stored", rate(rates(mine)), r.toFixed(2), "mark 0.7", r >= 0.7);
      notes.push(`${kind} with ${STORED.toLocaleString("en-US")} stored: ${tail(after)}`);
    }
  }
  const r = ratio(got.settle("luwak"), got.create("luwak"));
  row("settle against create", rate(rates(got.settle("luwak"))), "create", rate(rates(got.create("luwak"))), r.toFixed(2), "mark 1", r >= 1);
  if (peers) {
    const wide = ratio(open.settle("luwak"), open.create("luwak"));
    row("the same, no core apart", rate(rates(open.settle("luwak"))), "create", rate(rates(open.create("luwak"))), wide.toFixed(2), "mark 1", wide >= 1);
  }
  operator(list[0].data, "verify"); // every invariant, after all of it
  notes.push("payments: `luwak verify` finds nothing wrong in what was created and settled here");
  silent.close();
}
