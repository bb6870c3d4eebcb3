// The checkout: how long its page takes at a given rate, beside the static route of the same server, and
// what open event streams cost. One worker; the server on core 0, the load on core 1.
//
//   page     GET /pay/{token} of a payment that waits (a virtual account is shown), CHECKOUT_RATE (1000)
//            requests/s, each another payment of CHECKOUT_PAYMENTS (1000), against GET /healthz: the p99
//            of the page within 3 times the other's. CHECKOUT_DATA: a data directory with payments in it
//            to begin from, as `BENCH=payments,stored` leaves in build/bench/stored-5000000. It is copied
//            (16 GB, minutes), to CHECKOUT_COPY where that is said, which stays for the next time. Letters
//            that it still owes to a shop of that run, which is gone, are given up first: its endpoint is
//            deleted. Without a directory the store holds only those payments that are asked for.
//   streams  CHECKOUT_STREAMS (5000) of GET /pay/{token}/events open at once, then one payment is paid:
//            its streams hear of it; memory of the whole process within 100 MB.
//
//     node checkout.mjs LUWAK WORK
import { execFileSync, spawn } from "node:child_process";
import { existsSync, readFileSync, renameSync, rmSync } from "node:fs";
import http from "node:http";
import net from "node:net";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const [luwak, work] = process.argv.slice(2).map((p) => resolve(p));
const repo = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const RATE = Number(process.env.CHECKOUT_RATE ?? 1000);
const SECONDS = Number(process.env.BENCH_SECONDS ?? 4);
const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 5);
const PAYMENTS = Number(process.env.CHECKOUT_PAYMENTS ?? 1000);
const STREAMS = Number(process.env.CHECKOUT_STREAMS ?? 5000);
const SAME = 50; // streams of one payment
const CONNECTIONS = 64;
const auth = (key) => "Basic " + Buffer.from(key + ":").toString("base64");
execFileSync("taskset", ["-acp", "1", String(process.pid)]);

const sleep = (ms) => new Promise((r) => setTimeout(r, ms));
const median = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];

// ---- the server ----

const data = resolve(process.env.CHECKOUT_COPY ?? join(work, "checkout-data"));
const from = process.env.CHECKOUT_DATA;
if (from && !existsSync(data)) {
  const began = performance.now();
  rmSync(data + ".new", { recursive: true, force: true });
  execFileSync("cp", ["-r", "--reflink=auto", resolve(from), data + ".new"]);
  renameSync(data + ".new", data);
  console.log(`     copied in ${Math.round((performance.now() - began) / 1000)} s`);
}
const server = spawn("taskset", ["-c", "0", luwak, "serve", "--simulated", "--workers", "1", "--root", repo, "--data", data, "--listen", "127.0.0.1:0"],
  { cwd: work, env: { PATH: process.env.PATH, LUWAK_LOG_LEVEL: "warn", LUWAK_MAX_CONNECTIONS: String(2 * STREAMS + 2 * CONNECTIONS) }, stdio: ["ignore", "pipe", "inherit"] });
let said = "";
server.stdout.on("data", (d) => (said += d));
server.on("exit", (code) => { if (!server.stopping) { console.error(`luwak ended by itself (${code})`); process.exit(1); } });
process.on("exit", () => server.kill("SIGKILL"));
for (let i = 0; !/listening on /.test(said); i++) {
  if (i > 600) throw new Error("luwak does not listen");
  await sleep(50);
}
const port = Number(/listening on .*:(\d+)/.exec(said)[1]);
const rss = () => Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${server.pid}/status`, "utf8"))[1]) / 1024;

const cpu_us = () => { // of the whole process; a tick is 10 ms
  const fields = readFileSync(`/proc/${server.pid}/stat`, "utf8").split(") ")[1].split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10000;
};

const agent = new http.Agent({ keepAlive: true, maxSockets: 8 });
function ask(method, path, body, key = "sk_test_demo") {
  return new Promise((done, fail) => {
    const text = body && JSON.stringify(body);
    const r = http.request({ host: "127.0.0.1", port, method, path, agent, headers: { authorization: auth(key), ...(text && { "content-type": "application/json",
      "content-length": Buffer.byteLength(text) }) } }, (answer) => {
      let all = "";
      answer.on("data", (d) => (all += d)).on("end", () => (answer.statusCode < 300 ? done(all) : fail(new Error(`${path}: ${answer.statusCode} ${all}`))));
    });
    r.on("error", fail);
    r.end(text);
  });
}

const owner = existsSync(join(data, "bench.json")) && JSON.parse(readFileSync(join(data, "bench.json"))).key;
for (const { id } of owner ? JSON.parse(await ask("GET", "/v1/webhook_endpoints?limit=100", null, owner)).data : [])
  await ask("DELETE", `/v1/webhook_endpoints/${id}`, null, owner);

const run = Date.now().toString(36);
const made = [];
for (let i = 0; i < PAYMENTS; i += 8)
  made.push(...(await Promise.all(Array.from({ length: 8 }, (_, k) => ask("POST", "/v1/payments", { order_id: `bench-${run}-${i + k}`, amount: 150000,
    method: "virtual_account", bank: "self" })))).map((t) => JSON.parse(t)));
const tokens = made.map((p) => p.id.slice(4));

// ---- the page, at a rate: each connection has one request at a time; who finds none free waits, and
// that wait counts ----

function load(pathOf, seconds) {
  return new Promise((done, fail) => {
    const free = [], waiting = [], times = [], started = performance.now(), total = RATE * seconds, spent = cpu_us();
    let sent = 0, answered = 0;
    const finish = () => {
      clearInterval(timer);
      sockets.forEach((s) => s.destroy());
      times.sort((a, b) => a - b);
      done({ p50: times[times.length >> 1], p99: times[Math.floor(times.length * 0.99)], rate: answered / ((performance.now() - started) / 1000),
        cpu: (cpu_us() - spent) / answered });
    };
    const go = (s, at) => {
      s.at = at;
      s.write(`GET ${pathOf(sent++)} HTTP/1.1\r\nHost: x\r\nAccept-Language: id\r\n\r\n`);
    };
    const sockets = new Set(), open = () => {
      const s = net.connect(port, "127.0.0.1");
      let buffer = "";
      s.setNoDelay(true).setEncoding("latin1").on("error", fail).on("data", (d) => {
        buffer += d;
        const head = buffer.indexOf("\r\n\r\n");
        if (head < 0) return;
        const length = Number(/^content-length: (\d+)/im.exec(buffer)?.[1]);
        if (buffer.length < head + 4 + length) return;
        if (!buffer.startsWith("HTTP/1.1 200")) return fail(new Error(buffer.slice(0, 300)));
        times.push(performance.now() - s.at);
        const last = /^connection: close/im.test(buffer.slice(0, head)); // after a thousand requests
        buffer = "";
        if (++answered === total) return finish();
        if (last) return s.destroy(), sockets.delete(s), open();
        if (waiting.length) go(s, waiting.shift());
        else free.push(s);
      });
      sockets.add(s);
      if (waiting.length) go(s, waiting.shift());
      else free.push(s);
    };
    for (let i = 0; i < CONNECTIONS; i++) open();
    let asked = 0;
    const timer = setInterval(() => {
      const due = Math.min(total, Math.floor(((performance.now() - started) / 1000) * RATE));
      for (; asked < due; asked++) {
        if (free.length) go(free.pop(), performance.now());
        else waiting.push(performance.now());
      }
    }, 1);
  });
}

const page = (i) => `/pay/${tokens[i % tokens.length]}`, still = () => "/healthz";
const pages = [], stills = [];
await load(page, 1), await load(still, 1);
for (let i = 0; i < ROUNDS; i++) {
  stills.push(await load(still, SECONDS));
  pages.push(await load(page, SECONDS));
}
const p99 = (list) => median(list.map((x) => x.p99)), ms = (n) => n.toFixed(2) + " ms";
const times = median(pages.map((x, i) => x.p99 / stills[i].p99));
const ok = times <= 3;
console.log(`${ok ? "ok  " : "MISS"} checkout page at ${RATE}/s  p99 ${ms(p99(pages))} (p50 ${ms(median(pages.map((x) => x.p50)))}), static p99 ${ms(p99(stills))}: ` +
  `${times.toFixed(2)} times (3 or less); answered ${Math.round(median(pages.map((x) => x.rate)))}/s, ` +
  `${Math.round(median(pages.map((x) => x.cpu)))} us of CPU each, static ${Math.round(median(stills.map((x) => x.cpu)))}`);

// ---- streams ----

const before = rss();
let heard = 0, opened = 0;
const streams = [];
const follow = (token) => new Promise((done, fail) => {
  const s = net.connect(port, "127.0.0.1");
  let text = "", counted = false;
  s.setEncoding("latin1").on("error", fail).on("data", (d) => {
    text += d;
    if (!counted && !/^HTTP\/1.1 (200|$)/.test(text.slice(0, 12))) fail(new Error("no stream: " + text.slice(0, 100)));
    if (!counted && text.includes("data: ")) counted = true, opened++, done();
    if (text.includes('"status":"success"')) heard++, (text = "");
  });
  s.write(`GET /pay/${token}/events HTTP/1.1\r\nHost: x\r\n\r\n`);
  streams.push(s);
});
for (let i = 0; i < STREAMS; i += 50) await Promise.all(Array.from({ length: Math.min(50, STREAMS - i) }, (_, k) => follow(tokens[Math.floor((i + k) / SAME)])));
const held = rss();
await ask("POST", "/sandbox/self/_control", { pay: made[0].id });
for (let i = 0; heard < Math.min(SAME, STREAMS) && i < 200; i++) await sleep(25);
const good = opened === STREAMS && heard === Math.min(SAME, STREAMS) && held < 100;
console.log(`${good ? "ok  " : "MISS"} ${opened} event streams on one worker  ${held.toFixed(1)} MB (${before.toFixed(1)} before, ` +
  `${(((held - before) * 1024) / STREAMS).toFixed(1)} kB each; 100 MB or less); ${heard} heard of their payment`);
streams.forEach((s) => s.destroy());
server.stopping = true;
server.kill("SIGTERM");
const code = await new Promise((r) => server.on("exit", r));
if (code !== 0) console.error(`luwak ended with ${code}`);
process.exit(ok && good && code === 0 ? 0 : 1);
