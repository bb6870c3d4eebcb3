/* Durable writes: the store with 64 submitters against a bare loop of prepared statements in
 * batches of 100, same schema, same rows, same durability, one run, as a ratio.
 *
 *     bench_store [DIR [WRITES [ROWS_BEFORE]]]
 *
 * One write is three rows: an operation (random unique id and reference, 400-byte document, due to
 * be asked), an event, a due job. */
#include "base/clock.h"
#include "base/id.h"
#include "loop/loop.h"
#include "store/store.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define SUBMITTERS 64
#define BATCH      100

static struct clock clk;
static struct rng rng;
static char doc[401];

struct row {
    char operation[ID_SIZE], job[ID_SIZE], reference[TOKEN_SIZE], topic[32];
};

static void row_make(struct row *r) {
    unsigned char random[16];
    rng_fill(&rng, random, sizeof random);
    id_make(r->operation, "op_", &clk, &rng);
    id_make(r->job, "job_", &clk, &rng);
    token_make(r->reference, &rng);
    snprintf(r->topic, sizeof r->topic, "merchant_%u", random[0] & 15u);
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
                    V_TEXT("account"), V_TEXT(r.reference), V_TEXT("sending"), d, V_INT(now),
                    V_INT(now)));
    commit_add(c, OP_EVENT_APPEND,
               VALS(V_TEXT(r.topic), V_TEXT("operation.created"), V_TEXT(r.operation),
                    V_BLOB(STR("{}")), V_INT(now)));
    commit_add(c, OP_JOB_ENQUEUE,
               VALS(V_TEXT(r.job), V_TEXT("ask"), V_BLOB(STR("{}")), V_INT(now), V_INT(0), V_INT(0),
                    V_NULL, V_NULL, V_INT(now)));
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
    printf("store: %ld writes, %.1f per group, %llu checkpoints\n", writes,
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

static double run_bare(const char *dir, long writes, int batch) {
    char path[512];
    store_close(store_at(dir)); /* the same schema */
    snprintf(path, sizeof path, "%s/luwak.db", dir);
    if (sqlite3_open(path, &db) != SQLITE_OK) die(path, sqlite3_errmsg(db));
    sql("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -32768;"
        "PRAGMA foreign_keys = 1; PRAGMA wal_autocheckpoint = 4000");
    sqlite3_stmt *op = prepare(
        "INSERT INTO operation (id, kind, script, version, account, reference, status, doc,"
        " ask_at, created, updated) VALUES (?1, 'create', 'bench', 'v1', 'account', ?2, 'sending',"
        " ?3, ?4, ?4, ?4)");
    sqlite3_stmt *topic = prepare("INSERT INTO topic (name, last) VALUES (?1, 1)"
                                  " ON CONFLICT (name) DO UPDATE SET last = last + 1");
    sqlite3_stmt *event = prepare("INSERT INTO event SELECT id, last, 'operation.created', ?2,"
                                  " '{}', ?3 FROM topic WHERE name = ?1");
    sqlite3_stmt *job = prepare("INSERT INTO job (id, name, args, state, due_at, priority, once,"
                                " created, updated) VALUES (?1, 'ask', x'7b7d', 'waiting', ?2, 0,"
                                " 0, ?2, ?2)");
    sqlite3_finalize(event);
    event = prepare("INSERT INTO event SELECT id, last, 'operation.created', ?2, x'7b7d', ?3"
                    " FROM topic WHERE name = ?1");
    double from = seconds();
    for (long i = 0; i < writes; i++) {
        struct row r;
        row_make(&r);
        int64_t now = clock_now_ms(&clk);
        if (i % batch == 0) sql("BEGIN IMMEDIATE");
        text(op, 1, r.operation), text(op, 2, r.reference);
        sqlite3_bind_blob(op, 3, doc, 400, SQLITE_STATIC), sqlite3_bind_int64(op, 4, now);
        go(op);
        text(topic, 1, r.topic);
        go(topic);
        text(event, 1, r.topic), text(event, 2, r.operation), sqlite3_bind_int64(event, 3, now);
        go(event);
        text(job, 1, r.job), sqlite3_bind_int64(job, 2, now);
        go(job);
        if (i % batch == batch - 1 || i == writes - 1) sql("COMMIT");
    }
    double took = seconds() - from;
    sqlite3_finalize(op), sqlite3_finalize(topic), sqlite3_finalize(event), sqlite3_finalize(job);
    sqlite3_close(db);
    return (double)writes / took;
}

int main(int argc, char **argv) {
    const char *base = argc > 1 ? argv[1] : "/tmp/luwak-bench-store";
    long writes = argc > 2 ? atol(argv[2]) : 20000;
    long before = argc > 3 ? atol(argv[3]) / 3 : 0;
    char a[300], b[300];
    clock_real(&clk);
    rng_seeded(&rng, (uint64_t)clock_now_ms(&clk));
    memset(doc, 'x', 400);
    mkdir(base, 0700);
    snprintf(a, sizeof a, "%s/store", base);
    snprintf(b, sizeof b, "%s/bare", base);
    if (before > 0) {
        run_bare(a, before, 10000);
        run_bare(b, before, 10000);
    }
    double bare1 = run_bare(b, writes / 2, BATCH);
    double ours = run_store(a, writes);
    double bare2 = run_bare(b, writes / 2, BATCH);
    double bare = (bare1 + bare2) / 2;
    printf("store, %d submitters: %.0f writes/s\nbare loop, batches of %d: %.0f writes/s\n"
           "ratio %.2f\n",
           SUBMITTERS, ours, BATCH, bare, ours / bare);
    return 0;
}
