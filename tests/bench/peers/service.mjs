// The peer of the durable write: the same three rows into the same schema with Fastify and
// better-sqlite3, written the way a careful Node team would: WAL, synchronous=FULL, prepared
// statements, one transaction per request. The database was made by the engine; nothing is created here.
//
//     node service.mjs DATABASE PORT
import { randomBytes } from "node:crypto";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const require = createRequire(pathToFileURL(process.cwd() + "/"));
const Database = require("better-sqlite3");
const fastify = require("fastify");

const [file, port] = process.argv.slice(2);
const DAY = 86400000;
const db = new Database(file, { fileMustExist: true });
for (const pragma of ["journal_mode = WAL", "synchronous = FULL", "foreign_keys = 1", "cache_size = -32768",
  "wal_autocheckpoint = 4000"]) db.pragma(pragma);

const record = db.prepare(`INSERT INTO operation (id, kind, script, version, account, reference, status, doc,
  created, updated) VALUES (?, 'create', 'bench', 'v1', 'bench', ?, 'sending', ?, ?, ?)`);
const topic = db.prepare(`INSERT INTO topic (name, last) VALUES (?, 1)
  ON CONFLICT (name) DO UPDATE SET last = last + 1`);
const event = db.prepare(`INSERT INTO event SELECT id, last, 'operation.created', ?, ?, ? FROM topic
  WHERE name = ?`);
const job = db.prepare(`INSERT INTO job (id, name, args, state, due_at, priority, once, created, updated)
  VALUES (?, 'ask', ?, 'waiting', ?, 0, 0, ?, ?)`);
const empty = Buffer.from("{}");

function uuidV7(now) {
  const b = randomBytes(16);
  b.writeUIntBE(now, 0, 6);
  b[6] = (b[6] & 15) | 112;
  b[8] = (b[8] & 63) | 128;
  const h = b.toString("hex");
  return `${h.slice(0, 8)}-${h.slice(8, 12)}-${h.slice(12, 16)}-${h.slice(16, 20)}-${h.slice(20)}`;
}

const write = db.transaction((doc) => {
  const now = Date.now();
  const id = "op_" + uuidV7(now);
  record.run(id, randomBytes(16).toString("hex"), Buffer.from(doc), now, now);
  const merchant = "merchant_" + (randomBytes(1)[0] & 15);
  topic.run(merchant);
  event.run(id, empty, now, merchant);
  job.run("job_" + uuidV7(now), empty, now + DAY, now, now);
  return id;
});

const app = fastify({ logger: false });
app.post("/write", async (request) => ({ id: write.immediate(JSON.stringify(request.body)) }));
await app.listen({ host: "127.0.0.1", port: Number(port) });
console.log("sqlite " + db.prepare("SELECT sqlite_version() AS v").get().v);
