// What `make bench` measures, and against what. Servers run on core 0, one at work at a time; the load
// (wrk or bench_load, 64 connections kept alive) on core 1. Each round measures every contender in turn;
// shown is the median of the rounds, and the median of the rounds' ratios: a machine that is slow for a
// while is slow for all of them.
//
//   echo      POST of JSON, decoded, one field set, encoded    nginx + Lua (lua-cjson)
//   static    a fixed JSON answer                              nginx `return 200`
//   write     three rows in one durable commit per request     Fastify + better-sqlite3, and a bare C
//             loop on SQLite in batches of 100 without HTTP; same schema, same rows, a million records
//             (with their events and jobs) stored before
//   payments  POST /v1/payments for self_va, and Midtrans' callback that settles one: payments.mjs
//   stored    both again with five million payments stored before
//   start     from exec to the first scripted answer
//   memory    one worker after 60 channels of 60-100 lines were each called once
//
//     node bench.mjs LUWAK PROGRAMS WORK FILLED
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import { join, resolve } from "node:path";
import { channelText } from "./channels.mjs";
import { ROUNDS, SECONDS, ask, children, freePort, here, lines, luwak, luwakAt, median, notes, programs, rate, rates, ratio, ready, repo, rounds,
  row, serve, sleep, stop, work, wrk } from "./lib.mjs";
import { measurePayments } from "./payments.mjs";

const filled = resolve(process.argv[5]);
const storeBench = join(programs, "bench_store");
const RECORDS = Number(process.env.BENCH_RECORDS ?? 1000000);
const ONLY = (process.env.BENCH ?? "echo,static,write,payments,stored,start,memory").split(",");
const BARE_WRITES = 20000;
const CHANNELS = 60;

async function measureHttp() {
  const ours = await freePort(), theirs = await freePort();
  const conf = join(work, "nginx.conf");
  writeFileSync(conf, readFileSync(join(here, "peers/nginx.conf"), "utf8").replaceAll("@DIR@", work).replaceAll("@PORT@", String(theirs)));
  const a = luwakAt(ours, join(here, "root"), join(work, "http-data"));
  const b = serve("nginx", "/usr/sbin/nginx", ["-p", work, "-c", conf, "-e", join(work, "error.log")]);
  const body = JSON.stringify({ reference: "INV-2026-0001", amount: 150000, currency: "IDR", customer: { name: "Siti Rahma", email: "siti@example.com",
    phone: "0812345678901" }, items: [{ sku: "A-1", quantity: 2, price: 50000 }, { sku: "B-2", quantity: 1, price: 50000 }], open: true });
  const one = JSON.parse(await ready(ours, "POST", "/bench/echo", body));
  const two = JSON.parse(await ready(theirs, "POST", "/echo", body));
  const same = (v) => JSON.stringify(v, (k, x) => (x && x.constructor === Object ? Object.fromEntries(Object.entries(x).sort()) : x));
  if (same(one) !== same(two) || one.seen !== true) throw new Error("the echoes differ");
  for (const [kind, paths, peer, mark] of [["echo", ["/bench/echo", "/echo"], "nginx + Lua", 0.7], ["static", ["/healthz", "/static"], "nginx return 200", 0]]) {
    if (!ONLY.includes(kind)) continue;
    const post = kind === "echo" ? body : null;
    const got = await rounds([
      { name: "ours", measure: (s) => wrk(`http://127.0.0.1:${ours}${paths[0]}`, post, s) },
      { name: "theirs", measure: (s) => wrk(`http://127.0.0.1:${theirs}${paths[1]}`, post, s) }]);
    const r = ratio(got("ours"), got("theirs"));
    row(kind === "echo" ? "scripted JSON echo" : "static answer", rate(rates(got("ours"))), peer, rate(rates(got("theirs"))), r.toFixed(2), mark ? `mark ${mark}` : "no mark", r >= mark);
    notes.push(`${kind}: ${Math.round(got("ours")[0].bytes)} bytes per answer with its head, ${peer} ${Math.round(got("theirs")[0].bytes)}`);
  }
  await Promise.all([stop(a), stop(b)]);
}

async function measureWrite() {
  for (const name of ["luwak", "node", "bare"]) {
    cpSync(filled, join(work, name), { recursive: true, mode: 2 /* a reflink where the file system can */ });
    rmSync(join(work, name, "lock"), { force: true });
  }
  const ours = await freePort(), theirs = await freePort();
  const a = luwakAt(ours, join(here, "root"), join(work, "luwak"));
  const b = serve("node", process.execPath, [join(here, "peers/service.mjs"), join(work, "node/luwak.db"), String(theirs)],
    { cwd: join(repo, "build/bench"), env: { PATH: process.env.PATH, NODE_ENV: "production" } });
  const body = JSON.stringify({ channel: "bni_va", amount: 150000, currency: "IDR", description: "x".repeat(330) });
  if (Buffer.byteLength(body) !== 400) throw new Error(`the document has ${Buffer.byteLength(body)} bytes`);
  await ready(ours, "POST", "/bench/write", body);
  await ready(theirs, "POST", "/write", body);
  let sqlite = "";
  const bare = () => {
    const text = execFileSync("taskset", ["-c", "0", storeBench, "bare", join(work, "bare"), String(BARE_WRITES)], { encoding: "utf8" });
    sqlite = /SQLite (.*)/.exec(text)[1];
    return { rate: parseFloat(text) };
  };
  const got = await rounds([
    { name: "ours", measure: (s) => wrk(`http://127.0.0.1:${ours}/bench/write`, body, s), rest: 2500 },
    { name: "node", measure: (s) => wrk(`http://127.0.0.1:${theirs}/write`, body, s), rest: 500 },
    { name: "bare", measure: async () => bare() }]);
  const toNode = ratio(got("ours"), got("node")), toBare = ratio(got("ours"), got("bare"));
  const mine = rate(rates(got("ours")));
  row("durable write, 3 rows", mine, "Fastify + better-sqlite3", rate(rates(got("node"))), toNode.toFixed(2), "mark 4", toNode >= 4);
  row("durable write, 3 rows", mine, "bare loop by 100s", rate(rates(got("bare"))), toBare.toFixed(2), "mark 0.4", toBare >= 0.4);
  notes.push(`write: ${RECORDS.toLocaleString("en-US")} records, as many events and jobs stored before; SQLite ${sqlite} in Luwak and the bare loop, ` +
    `${/sqlite ([\d.]+)/.exec(b.text)?.[1]} inside better-sqlite3; all synchronous=FULL, WAL, 32 MB of cache`);
  await Promise.all([stop(a), stop(b)]);
}

// From before exec until a scripted route has answered 200; a data directory that exists, and a new one.
async function startOnce(data) {
  const port = await freePort();
  const from = performance.now();
  const child = luwakAt(port, repo, data);
  for (;;) {
    const a = await ask(port, "GET", "/v1/ping").catch(() => null);
    if (a?.status === 200) break;
    if (performance.now() - from > 5000) throw new Error("luwak did not start:\n" + child.text);
    await sleep(1);
  }
  const took = performance.now() - from;
  await stop(child);
  return took;
}

async function measureStart() {
  const data = join(work, "start-data"), first = [], later = [];
  await startOnce(data);
  for (let i = 0; i < 2 * ROUNDS; i++) {
    later.push(await startOnce(data));
    rmSync(data + "-new", { recursive: true, force: true });
    first.push(await startOnce(data + "-new"));
  }
  const ms = median(later);
  row("start to first answer", `${ms.toFixed(0)} ms`, "", "", "", "mark < 50 ms", ms < 50);
  notes.push(`start: ${Math.min(...later).toFixed(0)} ms at best; ${median(first).toFixed(0)} ms with a new data directory, schema and all`);
}

function resident(pid) {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+)/.exec(status)[1]) / 1024;
}

async function measureMemory() {
  const root = join(work, "root");
  cpSync(join(repo, "scripts"), join(root, "scripts"), { recursive: true });
  mkdirSync(join(root, "channels"));
  let size = 0;
  for (let i = 0; i < CHANNELS; i++) {
    const text = channelText(i);
    size += text.split("\n").length - 1;
    writeFileSync(join(root, "channels", `wallet_${i}.lua`), text);
  }
  const port = await freePort();
  const child = luwakAt(port, root, join(work, "memory-data"));
  await ready(port, "GET", "/v1/ping");
  const create = async (i) => {
    const a = await ask(port, "POST", "/v1/operations", JSON.stringify({ channel: `wallet_${i}`, input: { amount: 15000 + i, phone: "081234567890" } }));
    if (a.status !== 201 || JSON.parse(a.text).status !== "success") throw new Error(`wallet_${i}: ${a.status} ${a.text}`);
  };
  await sleep(300);
  const before = resident(child.pid);
  for (let i = 0; i < CHANNELS; i++) await create(i);
  await sleep(300);
  const after = resident(child.pid);
  row("memory, 60 channels", `${after.toFixed(1)} MB`, "", "", "", "mark < 30 MB", after < 30);
  notes.push(`memory: resident, one worker; ${before.toFixed(1)} MB before the calls, ${((after - before) / CHANNELS).toFixed(2)} MB per channel state ` +
    `(${Math.round(size / CHANNELS)} lines each on average, the simulator's state and warm caches counted in)`);
  await stop(child);
}

// ---- the machine ----

function machine() {
  const version = (command, args) => {
    try {
      return execFileSync("sh", ["-c", `${command} ${args} 2>&1`], { encoding: "utf8" }).trim();
    } catch { return "?"; }
  };
  const cpus = os.cpus();
  return `${cpus[0].model.trim()}, ${cpus.length} cores, ${Math.round(os.totalmem() / 2 ** 30)} GB, Linux ${os.release()}, ` +
    `${version("stat", `-f -c %T ${work}`)} file system; ${version(luwak, "version")}, ${version("/usr/sbin/nginx", "-v").replace("nginx version: ", "")}, ` +
    `Node ${process.versions.node}, ${ROUNDS} rounds of ${SECONDS} s`;
}

function write() {
  const table = ["| what | Luwak | against | ratio | mark |", "| --- | ---: | --- | ---: | --- |",
    ...lines.map((l) => `| ${l.what} | ${l.ours} | ${l.against ? `${l.against}: ${l.theirs}` : ""} | ${l.got} | ${l.wanted.replace("mark ", "").replace("no mark", "")}${l.good ? "" : " (missed)"} |`)];
  writeFileSync(join(repo, "build/bench/result.md"), [...table, "", machine() + ".", ...notes.map((n) => `- ${n}`), ""].join("\n"));
}

const load = os.loadavg()[0];
console.log(machine());
if (load > 0.7) notes.push(`the machine was not idle when this began (load ${load.toFixed(1)})`);
try {
  if (ONLY.includes("start")) await measureStart();
  if (ONLY.includes("memory")) await measureMemory();
  if (ONLY.includes("echo") || ONLY.includes("static")) await measureHttp();
  if (ONLY.includes("write")) await measureWrite();
  if (ONLY.includes("payments") || ONLY.includes("stored")) await measurePayments(ONLY.includes("payments"), ONLY.includes("stored"));
  for (const n of notes) console.log("     " + n);
  write();
  console.log("     build/bench/result.md has this as a table");
} catch (e) {
  console.error(String(e.stack ?? e));
  process.exitCode = 1;
} finally {
  for (const c of children) c.stopping = true, c.kill("SIGKILL");
}
if (lines.some((l) => !l.good)) process.exitCode = 1;
