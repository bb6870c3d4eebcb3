/* Durable writes without HTTP, for tests/bench/bench.mjs: the bare loop of prepared statements in
 * batches of 100 that the server is held against, the store alone with 64 submitters, and the fast
 * way to a database with many rows in it.
 *
 *     bench_store fill DIR RECORDS     the engine's schema and RECORDS writes, once
 *     bench_store bare DIR WRITES      the bare loop: prints its rate
 *     bench_store store DIR WRITES     the store: prints its rate
 *
 * One write is three rows: a record (random unique text key, a second index, 400-byte document), an
 * event, a due job. The statements and pragmas are those of peers/service.mjs. */
#include "base/clock.h"
#include "base/id.h"
#include "loop/loop.h"
#include "store/store.h"
#include "sys/crypto_text.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define SUBMITTERS 64
#define BATCH      100
#define FILL_BATCH 10000
#define DAY_MS     86400000

static struct clock clk;
static struct rng rng;
static char doc[401];

struct row {
    char operation[48], job[48], reference[40], topic[32];
};

static void row_make(struct row *r) {
    unsigned char random[17];
    char uuid[UUID_SIZE];
    rng_fill(&rng, random, sizeof random);
    uuid_v7(uuid, &clk, &rng);
    snprintf(r->operation, sizeof r->operation, "op_%s", uuid);
    uuid_v7(uuid, &clk, &rng);
    snprintf(r->job, sizeof r->job, "job_%s", uuid);
    for (int i = 0; i < 16; i++)
        snprintf(r->reference + 2 * i, 3, "%02x", random[i]);
    snprintf(r->topic, sizeof r->topic, "merchant_%u", random[16] & 15u);
}

static void die(const char *what, const char *why) {
    fprintf(stderr, "bench_store: %s: %s\n", what, why);
    exit(1);
}

static double seconds(void) {
    return (double)clock_mono_ns(&clk) / 1e9;
}

static struct store *store_at(const char *dir) {
    struct why why = {0};
    struct store *store;
    struct store_options o = {.path = dir, .clock = &clk};
    if (store_open(&store, &o, &why) != 0) die(dir, why.text);
    if (store_migrate(store, NULL, &why) != 0) die(dir, why.text);
    return store;
}

/* ---- the store ---- */

static struct store *store;
static struct loop *loop;
static long started, ended, wanted;

static void write_done(const struct commit_result *result, void *data);

static void write_start(void) {
    struct row r;
    struct commit *c;
    row_make(&r);
    if (commit_new(&c) != 0) die("commit", "out of memory");
    int64_t now = clock_now_ms(&clk);
    struct val d = V_BLOB(((struct str){doc, 400}));
    commit_add(c, OP_OPERATION_INSERT,
               VALS(V_TEXT(r.operation), V_TEXT("create"), V_TEXT("bench"), V_TEXT("v1"),
                    V_TEXT("bench"), V_TEXT(r.reference), V_TEXT("sending"), d, V_INT(now)));
    commit_add(c, OP_EVENT_APPEND,
               VALS(V_TEXT(r.topic), V_TEXT("operation.created"), V_TEXT(r.operation),
                    V_BLOB(STR("{}")), V_INT(now)));
    commit_add(c, OP_JOB_ENQUEUE,
               VALS(V_TEXT(r.job), V_TEXT("ask"), V_BLOB(STR("{}")), V_INT(now + DAY_MS), V_INT(0),
                    V_INT(0), V_NULL, V_NULL, V_INT(now)));
    started++;
    store_submit(store, c, LANE_NEW, loop, write_done, NULL);
}

static void write_done(const struct commit_result *result, void *data) {
    (void)data;
    if (result->err != 0) die("commit", result->detail);
    if (++ended == wanted) loop_stop(loop);
    if (started < wanted) write_start();
}

static double run_store(const char *dir, long writes) {
    store = store_at(dir);
    if (loop_uv_new(&loop, &clk) != 0) die("loop", "no memory");
    started = ended = 0;
    wanted = writes;
    double from = seconds();
    for (int i = 0; i < SUBMITTERS && started < wanted; i++)
        write_start();
    loop_uv_run(loop);
    double took = seconds() - from;
    struct store_stats stats;
    store_stats(store, &stats);
    fprintf(stderr, "%.1f per group, %llu checkpoints\n",
            (double)stats.commits / (double)stats.groups, (unsigned long long)stats.checkpoints);
    store_close(store);
    loop_delete(loop);
    return (double)writes / took;
}

/* ---- the bare loop ---- */

static sqlite3 *db;

static void sql(const char *text) {
    if (sqlite3_exec(db, text, NULL, NULL, NULL) != SQLITE_OK) die(text, sqlite3_errmsg(db));
}

static sqlite3_stmt *prepare(const char *text) {
    sqlite3_stmt *s;
    if (sqlite3_prepare_v2(db, text, -1, &s, NULL) != SQLITE_OK) die(text, sqlite3_errmsg(db));
    return s;
}

static void text(sqlite3_stmt *s, int at, const char *value) {
    sqlite3_bind_text(s, at, value, -1, SQLITE_STATIC);
}

static void go(sqlite3_stmt *s) {
    if (sqlite3_step(s) != SQLITE_DONE) die("step", sqlite3_errmsg(db));
    sqlite3_reset(s);
}

/* The first `warm` writes are not timed: the server that this is held against has warm caches. */
static double run_bare(const char *dir, long writes, long warm, int batch) {
    char path[512];
    snprintf(path, sizeof path, "%s/luwak.db", dir);
    if (sqlite3_open(path, &db) != SQLITE_OK) die(path, sqlite3_errmsg(db));
    sql("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -32768;"
        "PRAGMA foreign_keys = 1; PRAGMA wal_autocheckpoint = 4000");
    sqlite3_stmt *op =
        prepare("INSERT INTO operation (id, kind, script, version, account, reference, status, doc,"
                " created, updated) VALUES (?1, 'create', 'bench', 'v1', 'bench', ?2, 'sending', "
                "?3, ?4, ?4)");
    sqlite3_stmt *topic = prepare("INSERT INTO topic (name, last) VALUES (?1, 1)"
                                  " ON CONFLICT (name) DO UPDATE SET last = last + 1");
    sqlite3_stmt *event = prepare("INSERT INTO event SELECT id, last, 'operation.created', ?2,"
                                  " x'7b7d', ?3 FROM topic WHERE name = ?1");
    sqlite3_stmt *job = prepare("INSERT INTO job (id, name, args, state, due_at, priority, once,"
                                " created, updated) VALUES (?1, 'ask', x'7b7d', 'waiting', ?2, 0,"
                                " 0, ?3, ?3)");
    double from = seconds();
    for (long i = 0; i < warm + writes; i++) {
        struct row r;
        row_make(&r);
        int64_t now = clock_now_ms(&clk);
        if (i == warm) from = seconds();
        if (i % batch == 0) sql("BEGIN IMMEDIATE");
        text(op, 1, r.operation), text(op, 2, r.reference);
        sqlite3_bind_blob(op, 3, doc, 400, SQLITE_STATIC);
        sqlite3_bind_int64(op, 4, now);
        go(op);
        text(topic, 1, r.topic);
        go(topic);
        text(event, 1, r.topic), text(event, 2, r.operation), sqlite3_bind_int64(event, 3, now);
        go(event);
        text(job, 1, r.job), sqlite3_bind_int64(job, 2, now + DAY_MS);
        sqlite3_bind_int64(job, 3, now);
        go(job);
        if (i % batch == batch - 1 || i == warm + writes - 1) sql("COMMIT");
    }
    double took = seconds() - from;
    sqlite3_finalize(op), sqlite3_finalize(topic), sqlite3_finalize(event), sqlite3_finalize(job);
    sqlite3_close(db);
    return (double)writes / took;
}

int main(int argc, char **argv) {
    if (argc != 4) die("use", "bench_store fill|bare|store DIR NUMBER");
    const char *what = argv[1], *dir = argv[2];
    long n = atol(argv[3]);
    clock_real(&clk);
    rng_seeded(&rng, (uint64_t)clock_now_ms(&clk));
    memset(doc, 'x', 400);
    mkdir(dir, 0700);
    double rate = 0;
    if (strcmp(what, "fill") == 0) {
        store_close(store_at(dir)); /* the engine's schema */
        rate = run_bare(dir, n, 0, FILL_BATCH);
    } else if (strcmp(what, "bare") == 0) {
        rate = run_bare(dir, n, n / 4, BATCH);
    } else if (strcmp(what, "store") == 0) {
        rate = run_store(dir, n);
    } else {
        die("use", "bench_store fill|bare|store DIR NUMBER");
    }
    printf("%.0f writes/s, SQLite %s\n", rate, sqlite3_libversion());
    return 0;
}
