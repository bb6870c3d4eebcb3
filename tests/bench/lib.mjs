// What the measurements share: servers on core 0, the load on core 1, rounds and their medians, the rows
// that are printed and written to build/bench/result.md.
import { execFileSync, spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import http from "node:http";
import net from "node:net";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

export const [luwak, programs, work] = process.argv.slice(2).map((p) => resolve(p));
export const here = dirname(fileURLToPath(import.meta.url));
export const repo = resolve(here, "../..");
export const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 5);
export const SECONDS = Number(process.env.BENCH_SECONDS ?? 4);
export const children = new Set();

export const median = (list) => {
  const s = [...list].sort((a, b) => a - b);
  return s.length % 2 ? s[(s.length - 1) / 2] : (s[s.length / 2 - 1] + s[s.length / 2]) / 2;
};
export const sleep = (ms) => new Promise((r) => setTimeout(r, ms));
export const rate = (n) => Math.round(n).toLocaleString("en-US") + "/s";

// ---- servers ----

export function freePort() {
  return new Promise((done) => {
    const s = net.createServer().listen(0, "127.0.0.1", () => {
      const { port } = s.address();
      s.close(() => done(port));
    });
  });
}

// On core 0, unless `cores` says otherwise.
export function serve(name, command, args, { cores = "0", ...options } = {}) {
  const child = spawn("taskset", ["-c", cores, command, ...args], { stdio: ["ignore", "pipe", "pipe"], ...options });
  child.text = "";
  child.stdout.on("data", (d) => (child.text += d));
  child.stderr.on("data", (d) => (child.text += d));
  child.ended = new Promise((r) => child.on("exit", r));
  child.on("exit", (code, signal) => {
    children.delete(child);
    if (!child.stopping) throw new Error(`${name} ended by itself (${code ?? signal}):\n${child.text.slice(-2000)}`);
  });
  children.add(child);
  return child;
}

export async function stop(child) {
  child.stopping = true;
  child.kill("SIGTERM");
  await child.ended;
}

export function ask(port, method, path, body) {
  return new Promise((done, fail) => {
    const r = http.request({ port, host: "127.0.0.1", method, path, agent: false,
      headers: body ? { "content-type": "application/json", "content-length": Buffer.byteLength(body) } : {} }, (answer) => {
      let text = "";
      answer.on("data", (d) => (text += d)).on("end", () => done({ status: answer.statusCode, text }));
    });
    r.on("error", fail);
    r.end(body);
  });
}

export async function ready(port, method, path, body) {
  for (let i = 0; i < 500; i++) {
    const a = await ask(port, method, path, body).catch(() => null);
    if (a?.status === 200) return a.text;
    await sleep(20);
  }
  throw new Error(`no answer at ${path}`);
}

export function wrk(url, body, seconds) {
  const script = join(work, "post.lua");
  if (body) writeFileSync(script, `wrk.method = "POST"\nwrk.headers["Content-Type"] = "application/json"\nwrk.body = ${JSON.stringify(body)}\n`);
  return new Promise((done, fail) => {
    const child = spawn("taskset", ["-c", "1", "wrk", "-t1", "-c64", "--timeout", "10s", `-d${seconds}s`, ...(body ? ["-s", script] : []), url]);
    let text = "";
    child.stdout.on("data", (d) => (text += d));
    child.on("exit", () => {
      const n = /Requests\/sec:\s+([\d.]+)/.exec(text);
      const all = /(\d+) requests in [^,]+, ([\d.]+)(KB|MB|GB) read/.exec(text);
      if (!n || /Non-2xx|Socket errors/.test(text)) fail(new Error(`${url}:\n${text}`));
      else done({ rate: Number(n[1]), bytes: (Number(all[2]) * { KB: 1 << 10, MB: 1 << 20, GB: 1 << 30 }[all[3]]) / Number(all[1]) });
    });
  });
}

export function luwakAt(port, root, data) {
  return serve("luwak", luwak, ["serve", "--simulated", "--workers", "1", "--root", root, "--data", data,
    "--listen", `127.0.0.1:${port}`], { cwd: work, env: { PATH: process.env.PATH, LUWAK_LOG_LEVEL: "warn" } });
}

// ---- rounds ----

export async function rounds(contenders) {
  const got = new Map(contenders.map((c) => [c.name, []]));
  for (const c of contenders) await c.measure(1); // warm
  for (let i = 0; i < ROUNDS; i++)
    for (const c of i % 2 ? [...contenders].reverse() : contenders) {
      got.get(c.name).push(await c.measure(SECONDS));
      if (c.rest) await sleep(c.rest); // what it still does behind the scenes is its own time
    }
  return (name) => got.get(name);
}

export const ratio = (ours, theirs) => median(ours.map((o, i) => o.rate / theirs[i].rate));
export const rates = (list) => median(list.map((x) => x.rate));

export const lines = [];
export function row(what, ours, against, theirs, got, wanted, good) {
  lines.push({ what, ours, against, theirs, got, wanted, good });
  console.log(`${good ? "ok  " : "MISS"} ${what.padEnd(22)} ${ours.padStart(12)}  ${(against + " " + theirs).padEnd(42)} ${got.padStart(8)}  (${wanted})`);
}
export const notes = [];
