// The peer of the durable write: the same schema and rows in Fastify and better-sqlite3, written the way
// a careful Node team would: WAL, synchronous=FULL, prepared statements, one transaction per request.
import { randomBytes } from "node:crypto";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const require = createRequire(pathToFileURL(process.cwd() + "/"));
const Database = require("better-sqlite3");
const fastify = require("fastify");

const [file, port] = process.argv.slice(2);
const db = new Database(file);
db.pragma("journal_mode = WAL");
db.pragma("synchronous = FULL");
db.exec(`
  CREATE TABLE IF NOT EXISTS record (id TEXT PRIMARY KEY, reference TEXT NOT NULL UNIQUE,
    status TEXT NOT NULL, ask_at INTEGER, doc TEXT NOT NULL, created_at INTEGER NOT NULL) STRICT;
  CREATE INDEX IF NOT EXISTS record_ask ON record (status, ask_at);
  CREATE TABLE IF NOT EXISTS event (topic TEXT NOT NULL, sequence INTEGER NOT NULL, type TEXT NOT NULL,
    object TEXT NOT NULL, doc TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (topic, sequence)) STRICT;
  CREATE TABLE IF NOT EXISTS job (id TEXT PRIMARY KEY, name TEXT NOT NULL, args TEXT NOT NULL,
    due_at INTEGER NOT NULL, state TEXT NOT NULL, unique_key TEXT UNIQUE) STRICT;
  CREATE INDEX IF NOT EXISTS job_due ON job (due_at) WHERE state = 'waiting';
  CREATE TABLE IF NOT EXISTS topic (topic TEXT PRIMARY KEY, last INTEGER NOT NULL) STRICT;
`);
const next = db.prepare("INSERT INTO topic VALUES (?, 1) ON CONFLICT DO UPDATE SET last = last + 1 RETURNING last");
const record = db.prepare("INSERT INTO record VALUES (?, ?, 'sending', ?, ?, ?)");
const event = db.prepare("INSERT INTO event VALUES ('bench', ?, 'record.created', ?, ?, ?)");
const job = db.prepare("INSERT INTO job VALUES (?, 'ask', ?, ?, 'waiting', ?)");

const write = db.transaction((doc) => {
  const now = Date.now();
  const id = "op_" + randomBytes(13).toString("hex");
  record.run(id, randomBytes(10).toString("hex"), now + 120000, doc, now);
  event.run(next.get("bench").last, id, doc, now);
  job.run("job_" + randomBytes(13).toString("hex"), JSON.stringify({ id }), now + 120000, "ask " + id);
  return id;
});

if (port === "fill") {
  // A million rows stored before, in batches.
  const doc = JSON.stringify({ filler: "x".repeat(380) });
  const many = db.transaction((n) => { for (let i = 0; i < n; i++) write(doc); });
  const target = Number(process.argv[4]);
  for (let have = db.prepare("SELECT count(*) AS n FROM record").get().n; have < target; have += 10000) many(10000);
  db.pragma("wal_checkpoint(TRUNCATE)");
  db.close();
} else {
  const app = fastify({ logger: false });
  app.post("/write", async (request) => ({ id: write(JSON.stringify(request.body)) }));
  await app.listen({ host: "127.0.0.1", port: Number(port) });
  console.log("ready");
}
