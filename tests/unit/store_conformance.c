/* See store_conformance.h. */
#include "store_conformance.h"

#include "base/ensure.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- helpers ---- */

struct watch {
    struct timer timer;
    const bool *flag;
    struct loop *loop;
};

static void watch_fired(struct timer *timer) {
    struct watch *w = CONTAINER_OF(timer, struct watch, timer);
    if (*w->flag)
        loop_stop(w->loop);
    else
        timer_start(w->loop, timer, 1, watch_fired);
}

void pump_uv(struct store_fixture *f, const bool *flag) {
    struct watch w = {.flag = flag, .loop = f->loop};
    timer_start(f->loop, &w.timer, 0, watch_fired);
    loop_uv_run(f->loop);
    timer_stop(&w.timer);
    CHECK(*flag);
}

void pump_sim(struct store_fixture *f, const bool *flag) {
    for (int i = 0; i < 100000 && !*flag; i++)
        if (!loop_sim_step(f->loop)) break;
    CHECK(*flag);
}

struct commit *one_op(enum store_op op, const struct val *values, size_t count) {
    struct commit *c;
    CHECK_OK(commit_new(&c));
    commit_add(c, op, values, count);
    return c;
}

static void answered(const struct commit_result *r, void *data) {
    struct answer *a = data;
    a->err = r->err;
    a->failed_op = r->failed_op;
    snprintf(a->detail, sizeof a->detail, "%s", r->detail == NULL ? "" : r->detail);
    for (size_t i = 0; r->err == 0 && i < rows_count(r->values); i++) {
        a->values[i] = rows_at(r->values, i, 0);
        if (a->values[i].type != VAL_TEXT) continue;
        snprintf(a->texts[i], sizeof a->texts[i], "%.*s", STR_FMT(a->values[i].s));
        a->values[i] = V_TEXT(a->texts[i]);
    }
    a->times++;
    a->done = true;
}

void submit(struct store_fixture *f, struct commit *c, enum lane lane, struct answer *a) {
    memset(a, 0, sizeof *a);
    store_submit(f->store, c, lane, f->loop, answered, a);
    CHECK(!a->done); /* never from inside the call */
}

int run_commit(struct store_fixture *f, struct commit *c, struct answer *a) {
    struct answer *own = NULL;
    if (a == NULL) a = own = calloc(1, sizeof *own);
    submit(f, c, LANE_NEW, a);
    f->pump(f, &a->done);
    CHECK_INT(a->times, 1);
    int err = a->err;
    free(own);
    return err;
}

int run_op(struct store_fixture *f, enum store_op op, const struct val *values, size_t count,
           struct answer *a) {
    return run_commit(f, one_op(op, values, count), a);
}

struct asked {
    bool done;
    int err;
    struct why why;
    struct rows *rows;
};

static void rows_came(int err, const struct why *why, struct rows *rows, void *data) {
    struct asked *a = data;
    a->err = err;
    if (why != NULL) a->why = *why;
    a->rows = rows;
    a->done = true;
}

int run_query(struct store_fixture *f, const char *name, const struct val *values, size_t count,
              struct rows **out) {
    struct asked a = {0};
    store_query(f->store, name, values, count, f->loop, rows_came, &a);
    CHECK(!a.done);
    f->pump(f, &a.done);
    *out = a.rows;
    return a.err;
}

int run_select(struct store_fixture *f, const char *sql, const struct val *values, size_t count,
               struct rows **out, struct why *why) {
    struct asked a = {0};
    store_select(f->store, sql, values, count, f->loop, rows_came, &a);
    f->pump(f, &a.done);
    *out = a.rows;
    if (why != NULL) *why = a.why;
    return a.err;
}

int64_t count_rows(struct store_fixture *f, const char *table) {
    char sql[100];
    struct rows *rows;
    snprintf(sql, sizeof sql, "SELECT count(*) FROM %s", table);
    CHECK_OK(run_select(f, sql, NULL, 0, &rows, NULL));
    int64_t n = rows_int(rows, 0, 0);
    rows_free(rows);
    return n;
}

#define OP(op, ...) run_op(f, op, VALS(__VA_ARGS__), &a)

/* ---- the checks ---- */

static void all_or_nothing(struct store_fixture *f) {
    struct answer a;
    CHECK_OK(OP(OP_CRON_RAN, V_TEXT("all"), V_INT(50)));
    struct commit *c = one_op(OP_META_SET, VALS(V_TEXT("nothing"), V_TEXT("x")));
    commit_add(c, OP_EVENT_APPEND,
               VALS(V_TEXT("nothing"), V_TEXT("t"), V_TEXT("o"), V_BLOB(STR("{}")), V_INT(1)));
    commit_add(c, OP_CRON_RAN, VALS(V_TEXT("all"), V_INT(50)));
    commit_add(c, OP_META_SET, VALS(V_TEXT("nothing2"), V_TEXT("x")));
    CHECK_ERR(run_commit(f, c, &a), E_GUARD);
    CHECK_INT(a.failed_op, 2);
    CHECK(strstr(a.detail, "cron_ran") != NULL);
    struct rows *rows;
    CHECK_OK(store_get(f->store, "meta_get", VALS(V_TEXT("nothing")), &rows));
    CHECK_INT(rows_count(rows), 0);
    rows_free(rows);
    CHECK_OK(store_get(f->store, "topic_head", VALS(V_TEXT("nothing")), &rows));
    CHECK_INT(rows_count(rows), 0);
    rows_free(rows);
    CHECK_OK(OP(OP_CRON_RAN, V_TEXT("all"), V_INT(51)));
    CHECK_ERR(OP(OP_CRON_RAN, V_TEXT("all"), V_INT(49)), E_GUARD);
}

static void builder_errors_stick(struct store_fixture *f) {
    struct answer a;
    CHECK_ERR(OP(OP_META_SET, V_TEXT("k")), E_INVAL);
    CHECK_ERR(OP(OP_META_SET, V_TEXT("k"), V_INT(1)), E_INVAL);
    CHECK_ERR(OP(OP_META_SET, V_TEXT("k"), V_NULL), E_INVAL);
    CHECK_ERR(OP(OP_META_SET, V_TEXT("k"), V_STR(((struct str){"a\0b", 3}))), E_INVAL);
    CHECK(strstr(a.detail, "value") != NULL);
    struct commit *c = one_op(OP_META_SET, VALS(V_TEXT("bad")));
    CHECK(commit_add(c, OP_META_SET, VALS(V_TEXT("k"), V_TEXT("v"))) < 0);
    CHECK_ERR(run_commit(f, c, &a), E_INVAL);
    CHECK_INT(a.failed_op, 0);
    CHECK_OK(commit_new(&c));
    CHECK_OK(run_commit(f, c, &a)); /* nothing to do is done */
}

static void values_have_versions(struct store_fixture *f) {
    struct answer a;
#define PUT(version) OP(OP_KV_PUT, V_TEXT("s"), V_TEXT("k"), V_BLOB(STR("\0x")), version)
    CHECK_ERR(PUT(V_INT(3)), E_GUARD);
    CHECK_OK(PUT(V_INT(0)));
    int64_t first = a.values[0].i;
    CHECK(first > 0);
    CHECK_ERR(PUT(V_INT(0)), E_GUARD);
    CHECK_OK(PUT(V_INT(first)));
    CHECK(a.values[0].i > first);
    CHECK_ERR(PUT(V_INT(first)), E_GUARD);
    CHECK_OK(PUT(V_NULL));
    int64_t third = a.values[0].i;
    CHECK_ERR(OP(OP_KV_DELETE, V_TEXT("s"), V_TEXT("k"), V_INT(first)), E_GUARD);
    CHECK_OK(OP(OP_KV_DELETE, V_TEXT("s"), V_TEXT("k"), V_INT(third)));
    CHECK_OK(OP(OP_KV_DELETE, V_TEXT("s"), V_TEXT("k"), V_NULL)); /* again is nothing */
    CHECK_OK(PUT(V_INT(0)));
    CHECK(a.values[0].i > third); /* who read the deleted one must not write over this one */
    struct rows *rows;
    CHECK_OK(store_get(f->store, "kv_get", VALS(V_TEXT("s"), V_TEXT("k")), &rows));
    CHECK_INT(rows_count(rows), 1);
    CHECK(str_eq(rows_text(rows, 0, 0), ((struct str){"\0x", 2})));
    CHECK(strcmp(rows_name(rows, 1), "version") == 0);
    rows_free(rows);
}

static void takes_are_exclusive(struct store_fixture *f) {
    struct answer a;
#define ONCE(now, until) OP(OP_ONCE_TAKE, V_TEXT("s"), V_TEXT("k"), V_INT(until), V_INT(now))
    CHECK_OK(ONCE(100, 200));
    CHECK_ERR(ONCE(199, 300), E_GUARD);
    CHECK_OK(ONCE(200, 300)); /* at the end of its time it is free */
    CHECK_ERR(ONCE(299, 400), E_GUARD);
#define COUNT(max, now, until) OP(OP_COUNTER_TAKE, V_TEXT("n"), max, V_INT(until), V_INT(now))
    CHECK_ERR(COUNT(V_INT(0), 1, 10), E_GUARD);
    CHECK_OK(COUNT(V_INT(2), 1, 10));
    CHECK_INT(a.values[0].i, 1);
    CHECK_OK(COUNT(V_INT(2), 2, 99));
    CHECK_INT(a.values[0].i, 2);
    CHECK_ERR(COUNT(V_INT(2), 9, 99), E_GUARD);
    CHECK_OK(COUNT(V_NULL, 9, 99));
    CHECK_INT(a.values[0].i, 3);
    CHECK_OK(COUNT(V_INT(2), 10, 20)); /* the window that the first opened is over */
    CHECK_INT(a.values[0].i, 1);
}

static void slots_wrap(struct store_fixture *f) {
    struct answer a;
#define SLOT(start, now)                                                                     \
    OP(OP_SLOT_TAKE, V_TEXT("p"), V_INT(1), V_INT(3), V_INT(start), V_TEXT("h"), V_INT(100), \
       V_INT(now))
    CHECK_OK(SLOT(2, 1));
    CHECK_INT(a.values[0].i, 2);
    CHECK_OK(SLOT(2, 1));
    CHECK_INT(a.values[0].i, 3);
    CHECK_OK(SLOT(2, 1));
    CHECK_INT(a.values[0].i, 1);
    CHECK_ERR(SLOT(2, 1), E_GUARD);
    CHECK_OK(OP(OP_SLOT_FREE, V_TEXT("p"), V_INT(3), V_TEXT("another")));
    CHECK_ERR(SLOT(1, 1), E_GUARD);
    CHECK_OK(OP(OP_SLOT_FREE, V_TEXT("p"), V_INT(3), V_TEXT("h")));
    CHECK_OK(SLOT(1, 1));
    CHECK_INT(a.values[0].i, 3);
    CHECK_OK(SLOT(3, 100)); /* all ran out */
    CHECK_INT(a.values[0].i, 3);
#define CLAIM(slot, now) \
    OP(OP_SLOT_CLAIM, V_TEXT("c"), V_INT(slot), V_TEXT("h"), V_INT(100), V_INT(now))
    CHECK_OK(CLAIM(5, 1));
    CHECK_ERR(CLAIM(5, 1), E_GUARD);
    CHECK_OK(CLAIM(6, 1));
    CHECK_OK(CLAIM(5, 100)); /* it ran out */
    CHECK_ERR(OP(OP_SLOT_TAKE, V_TEXT("q"), V_INT(3), V_INT(1), V_INT(1), V_TEXT("h"), V_INT(100),
                 V_INT(1)),
              E_GUARD);
}

/* The longest reserved of what a holder has; who gave no name has none. */
static void slots_are_found_by_their_holder(struct store_fixture *f) {
    struct answer a;
    struct rows *rows;
#define HELD(slot, holder, until) \
    OP(OP_SLOT_CLAIM, V_TEXT("held"), V_INT(slot), V_TEXT(holder), V_INT(until), V_INT(1))
#define FOUND(pool, holder, count)                                                \
    CHECK_OK(run_query(f, "slot_of", VALS(V_TEXT(pool), V_TEXT(holder)), &rows)); \
    CHECK_INT(rows_count(rows), count)
    CHECK_OK(HELD(1, "one", 50));
    CHECK_OK(HELD(2, "two", 50));
    CHECK_OK(HELD(3, "one", 60));
    CHECK_OK(HELD(4, "", 50));
    FOUND("held", "one", 1);
    CHECK_INT(rows_int(rows, 0, 0), 3);
    rows_free(rows);
    FOUND("held", "three", 0);
    rows_free(rows);
    FOUND("another", "two", 0);
    rows_free(rows);
    FOUND("held", "", 0);
    rows_free(rows);
}

static void events_have_no_gap(struct store_fixture *f) {
    struct answer a;
    for (int round = 1; round <= 3; round++) {
        struct commit *c;
        CHECK_OK(commit_new(&c));
        for (int i = 0; i < 2; i++)
            commit_add(c, OP_EVENT_APPEND,
                       VALS(V_TEXT("gap"), V_TEXT("t"), V_TEXT("o"), V_BLOB(STR("{}")), V_INT(1)));
        if (round == 2) commit_add(c, OP_CRON_RAN, VALS(V_TEXT("all"), V_INT(1))); /* fails */
        CHECK_ERR(run_commit(f, c, &a), round == 2 ? E_GUARD : 0);
        if (round != 2) CHECK_INT(a.values[1].i, round == 1 ? 2 : 4);
    }
    struct rows *rows;
    CHECK_OK(run_query(f, "events_after", VALS(V_TEXT("gap"), V_INT(1), V_INT(10)), &rows));
    CHECK_INT(rows_count(rows), 3);
    for (size_t i = 0; i < 3; i++)
        CHECK_INT(rows_int(rows, i, 0), (int64_t)i + 2);
    rows_free(rows);
}

#define ENQUEUE(id, key, once)                                                           \
    OP(OP_JOB_ENQUEUE, V_TEXT(id), V_TEXT("n"), V_BLOB(STR("[]")), V_INT(100), V_INT(0), \
       V_INT(once), V_NULL, key, V_INT(1))

static void jobs_move_by_their_table(struct store_fixture *f) {
    struct answer a;
    CHECK_OK(ENQUEUE("j1", V_TEXT("key"), 0));
    CHECK_STR(a.values[0].s, "j1");
    CHECK_OK(ENQUEUE("j2", V_TEXT("key"), 0)); /* the open one wins */
    CHECK_STR(a.values[0].s, "j1");
    CHECK_ERR(ENQUEUE("j1", V_NULL, 0), E_EXISTS);
    CHECK_ERR(OP(OP_JOB_CLAIM, V_TEXT("j1"), V_INT(1), V_INT(99)), E_GUARD); /* not due */
    CHECK_OK(OP(OP_JOB_CLAIM, V_TEXT("j1"), V_INT(1), V_INT(100)));
    CHECK_ERR(OP(OP_JOB_CLAIM, V_TEXT("j1"), V_INT(2), V_INT(100)), E_GUARD);
    CHECK_OK(ENQUEUE("j2", V_TEXT("key"), 0)); /* running is open too */
    CHECK_STR(a.values[0].s, "j1");
    CHECK_ERR(OP(OP_JOB_DONE, V_TEXT("j1"), V_INT(2), V_INT(101)), E_GUARD);
    CHECK_ERR(OP(OP_JOB_LOST, V_TEXT("j1"), V_INT(1), V_INT(101)), E_GUARD); /* repeatable */
    CHECK_OK(
        OP(OP_JOB_RETRY, V_TEXT("j1"), V_INT(1), V_INT(200), V_INT(1), V_TEXT("e"), V_INT(101)));
    CHECK_OK(OP(OP_JOB_CLAIM, V_TEXT("j1"), V_INT(2), V_INT(200)));
    CHECK_OK(OP(OP_JOB_DONE, V_TEXT("j1"), V_INT(2), V_INT(201)));
    CHECK_ERR(OP(OP_JOB_DEAD, V_TEXT("j1"), V_INT(2), V_TEXT("e"), V_INT(201)), E_GUARD);
    CHECK_OK(ENQUEUE("j3", V_TEXT("key"), 1));
    CHECK_STR(a.values[0].s, "j3");
    CHECK_OK(OP(OP_JOB_CLAIM, V_TEXT("j3"), V_INT(7), V_INT(100)));
    CHECK_OK(OP(OP_JOB_LOST, V_TEXT("j3"), V_INT(7), V_INT(101)));
    struct rows *rows;
    CHECK_OK(store_get(f->store, "job_get", VALS(V_TEXT("j1")), &rows));
    CHECK_STR(rows_text(rows, 0, 3), "done");
    CHECK_INT(rows_int(rows, 0, 9), 1); /* one attempt failed */
    rows_free(rows);
    CHECK_OK(OP(OP_JOB_PURGE, V_INT(1000), V_INT(10)));
    CHECK_OK(store_get(f->store, "job_get", VALS(V_TEXT("j1")), &rows));
    CHECK_INT(rows_count(rows), 0);
    rows_free(rows);
    CHECK_OK(store_get(f->store, "job_get", VALS(V_TEXT("j3")), &rows));
    CHECK_STR(rows_text(rows, 0, 3), "lost");
    rows_free(rows);
}

#define INSERT(id, reference)                                                                      \
    OP(OP_OPERATION_INSERT, V_TEXT(id), V_TEXT("create"), V_TEXT("s"), V_TEXT("v"), V_TEXT("acc"), \
       V_TEXT(reference), V_TEXT("sending"), V_BLOB(STR("{}")), V_INT(1))
#define MOVE(id, generation, from, to)                                             \
    OP(OP_OPERATION_MOVE, V_TEXT(id), V_INT(generation), V_TEXT(from), V_TEXT(to), \
       V_BLOB(STR("{}")), V_INT(2))

static void operations_move_by_their_table(struct store_fixture *f) {
    struct answer a;
    CHECK_OK(INSERT("o1", "r1"));
    CHECK_ERR(INSERT("o1", "r2"), E_EXISTS);
    CHECK_ERR(INSERT("o2", "r1"), E_EXISTS);
    CHECK(strstr(a.detail, "reference") != NULL);
    CHECK_OK(MOVE("o1", 1, "sending", "unknown"));
    CHECK_INT(a.values[0].i, 2);
    CHECK_ERR(MOVE("o1", 1, "sending", "success"), E_GUARD); /* an answer that came too late */
    CHECK_ERR(MOVE("o1", 2, "unknown", "expired"), E_STATE); /* unknown never expires */
    CHECK_ERR(MOVE("o1", 2, "unknown", "sending"), E_STATE); /* and is never sent again */
    CHECK_ERR(MOVE("o1", 2, "unknown", "paid"), E_INVAL);
    CHECK_OK(MOVE("o1", 2, "unknown", "unknown"));
    CHECK_ERR(MOVE("o1", 2, "unknown", "failed"), E_GUARD); /* the same status, but later */
    CHECK_OK(MOVE("o1", 3, "unknown", "failed"));
    CHECK_OK(MOVE("o1", 4, "failed", "success")); /* the provider changed its mind */
    CHECK_ERR(MOVE("o1", 5, "success", "failed"), E_STATE);
}

static void reads_only_read(struct store_fixture *f) {
    struct rows *rows = NULL;
    struct why why;
    static const char *const BAD[] = {
        "DELETE FROM meta",
        "UPDATE meta SET value = '' RETURNING value",
        "INSERT INTO meta VALUES ('a', 'b')",
        "SELECT 1; SELECT 2",
        "SELECT 1; DELETE FROM meta",
        "PRAGMA user_version",
        "PRAGMA query_only = 0",
        "ATTACH ':memory:' AS x",
        "BEGIN",
        "CREATE TABLE x (a)",
        "VACUUM INTO '/nonexistent/x'",
        "SELECT load_extension('x')",
        "",
        "-- nothing",
    };
    for (size_t i = 0; i < ARRAY_LEN(BAD); i++) {
        rows = NULL;
        int err = run_select(f, BAD[i], NULL, 0, &rows, &why);
        if (err != E_DENIED && err != E_INVAL) print_error("%s: %s\n", BAD[i], err_name(err));
        CHECK(err == E_DENIED || err == E_INVAL);
        CHECK(rows == NULL);
        CHECK(why.text[0] != '\0');
    }
    CHECK_ERR(run_select(f, "SELECT \"nosuch\"", NULL, 0, &rows, &why), E_INVAL);
    CHECK_ERR(run_select(f, "SELECT ?1", NULL, 0, &rows, &why), E_INVAL);
    CHECK_OK(run_select(f, " SELECT ?1 AS a, ?2 AS b, ?3, NULL ; ",
                        VALS(V_INT(INT64_MIN), V_TEXT("x'y"), V_BLOB(STR(""))), &rows, &why));
    CHECK_INT(rows_columns(rows), 4);
    CHECK(rows_int(rows, 0, 0) == INT64_MIN);
    CHECK_STR(rows_text(rows, 0, 1), "x'y");
    CHECK(rows_at(rows, 0, 2).type == VAL_BLOB);
    CHECK(rows_null(rows, 0, 3));
    CHECK(strcmp(rows_name(rows, 1), "b") == 0);
    rows_free(rows);
    CHECK_ERR(run_query(f, "no_such", NULL, 0, &rows), E_NOTFOUND);
    CHECK_ERR(store_get(f->store, "no_such", NULL, 0, &rows), E_NOTFOUND);
}

static void points_are_bounded(struct store_fixture *f) {
    struct rows *rows = NULL;
    CHECK_OK(store_add_query(f->store, "mine",
                             "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
                             " WHERE i < ?1) SELECT count(*) AS n FROM n",
                             NULL));
    CHECK_ERR(store_get(f->store, "mine", VALS(V_INT(50000000)), &rows), E_TIMEOUT);
    CHECK_OK(store_get(f->store, "mine", VALS(V_INT(10)), &rows)); /* and it works again */
    CHECK_INT(rows_int(rows, 0, 0), 10);
    rows_free(rows);
    CHECK_OK(run_query(f, "mine", VALS(V_INT(100)), &rows));
    CHECK_INT(rows_int(rows, 0, 0), 100);
    rows_free(rows);
    CHECK_OK(store_add_query(f->store, "mine", "SELECT 7 AS n", NULL)); /* the new one counts */
    CHECK_OK(store_get(f->store, "mine", NULL, 0, &rows));
    CHECK_INT(rows_int(rows, 0, 0), 7);
    rows_free(rows);
    struct why why = {0};
    CHECK(store_add_query(f->store, "bad", "DELETE FROM meta", &why) != 0);
    CHECK(why.text[0] != '\0');
    CHECK(store_add_query(f->store, "bad", "SELECT FROM", &why) != 0);
    CHECK_ERR(store_add_query(f->store, "meta_get", "SELECT 1", &why), E_EXISTS);
}

struct ear {
    struct store_listener listener;
    int64_t heard[8];
    int count;
    bool all;
};

static void ear_heard(struct store_listener *self, struct str topic, int64_t sequence) {
    struct ear *ear = CONTAINER_OF(self, struct ear, listener);
    if (!str_eq(topic, STR("ear"))) return;
    if (ear->count < 8) ear->heard[ear->count++] = sequence;
    ear->all = ear->count == 3;
}

static void listeners_hear(struct store_fixture *f) {
    if (!f->listens) return;
    struct answer a;
    struct ear ear = {.listener = {.loop = f->loop, .heard = ear_heard}};
    store_listen(f->store, &ear.listener);
    struct commit *c = one_op(
        OP_EVENT_APPEND, VALS(V_TEXT("ear"), V_TEXT("t"), V_TEXT("o"), V_BLOB(STR("")), V_INT(1)));
    commit_add(c, OP_JOB_DONE, VALS(V_TEXT("none"), V_INT(1), V_INT(1)));
    CHECK_ERR(run_commit(f, c, &a), E_GUARD); /* did not happen: nobody hears of it */
    CHECK_OK(commit_new(&c));
    for (int i = 0; i < 3; i++)
        commit_add(c, OP_EVENT_APPEND,
                   VALS(V_TEXT("ear"), V_TEXT("t"), V_TEXT("o"), V_BLOB(STR("")), V_INT(1)));
    CHECK_OK(run_commit(f, c, &a));
    f->pump(f, &ear.all);
    CHECK_INT(ear.heard[0], 1);
    CHECK_INT(ear.count, 3);
    CHECK_INT(ear.heard[2], 3);
    store_unlisten(f->store, &ear.listener);
    memset(&ear, 0, sizeof ear);
    c = one_op(OP_EVENT_APPEND,
               VALS(V_TEXT("ear"), V_TEXT("t"), V_TEXT("o"), V_BLOB(STR("")), V_INT(1)));
    CHECK_OK(run_commit(f, c, &a));
    CHECK_INT(ear.count, 0);
}

static void scripts_and_grants(struct store_fixture *f) {
    struct answer a;
    struct rows *rows;
    CHECK_OK(OP(OP_SCRIPT_TEXT, V_TEXT("h"), V_BLOB(STR("return")), V_INT(1)));
    CHECK_OK(OP(OP_SCRIPT_TEXT, V_TEXT("h"), V_BLOB(STR("return")), V_INT(2)));
    CHECK_OK(
        OP(OP_SCRIPT_VERSION, V_TEXT("p"), V_TEXT("v1"), V_TEXT("live"), V_TEXT("[]"), V_INT(1)));
    CHECK_OK(
        OP(OP_SCRIPT_VERSION, V_TEXT("p"), V_TEXT("v2"), V_TEXT("staged"), V_TEXT("[]"), V_INT(2)));
    CHECK_ERR(
        OP(OP_SCRIPT_VERSION, V_TEXT("p"), V_TEXT("v3"), V_TEXT("odd"), V_TEXT("[]"), V_INT(2)),
        E_INVAL);
    CHECK_OK(run_query(f, "scripts_live", NULL, 0, &rows));
    CHECK_INT(rows_count(rows), 1);
    CHECK_STR(rows_text(rows, 0, 2), "v1");
    rows_free(rows);
    CHECK_OK(run_query(f, "scripts_now", NULL, 0, &rows));
    CHECK_STR(rows_text(rows, 0, 2), "v2");
    rows_free(rows);
    for (int i = 0; i < 2; i++)
        CHECK_OK(OP(OP_GRANT_SET, V_TEXT("bca"), V_TEXT("host"), V_TEXT("a"), V_INT(1)));
    CHECK_OK(run_query(f, "grants", VALS(V_TEXT("bca")), &rows));
    CHECK_INT(rows_count(rows), 1);
    rows_free(rows);
    for (int i = 0; i < 2; i++)
        CHECK_OK(OP(OP_GRANT_DROP, V_TEXT("bca"), V_TEXT("host"), V_TEXT("a")));
    CHECK_INT(count_rows(f, "grant_"), 0);
    CHECK_OK(OP(OP_TOKEN_PUT, V_TEXT("t"), V_BLOB(STR("1")), V_INT(1), V_INT(2)));
    CHECK_OK(OP(OP_TOKEN_PUT, V_TEXT("t"), V_BLOB(STR("2")), V_INT(1), V_INT(2)));
    CHECK_OK(store_get(f->store, "token_get", VALS(V_TEXT("t")), &rows));
    CHECK_STR(rows_text(rows, 0, 0), "2");
    rows_free(rows);
    /* of the many that one account names, 32 stay; the others' are their own */
    static const char *const OTHERS[] = {"a/m", "a", "aa:x", "a;:x", "A:x"};
    for (size_t i = 0; i < ARRAY_LEN(OTHERS); i++)
        CHECK_OK(OP(OP_TOKEN_PUT, V_TEXT(OTHERS[i]), V_BLOB(STR("1")), V_INT(1), V_INT(2)));
    for (int i = 0; i < 70; i++) {
        char key[32];
        snprintf(key, sizeof key, "a:%d:x", i);
        CHECK_OK(OP(OP_TOKEN_PUT, V_TEXT(key), V_BLOB(STR("1")), V_INT(i), V_INT(i + 1)));
    }
    CHECK_INT(count_rows(f, "token"), 1 + (int)ARRAY_LEN(OTHERS) + 32);
    CHECK_OK(store_get(f->store, "token_get", VALS(V_TEXT("a:38:x")), &rows));
    CHECK_INT(rows_count(rows), 1);
    rows_free(rows);
}

/* Reads that memory is lacking for are answered; whoever asks before each stops in time. */
static void reads_without_memory(struct store_fixture *f) {
    struct asked a[200] = {0};
    size_t n = 0;
    mem_fail_at(1, 1);
    while (n < ARRAY_LEN(a) && !store_short(f->store))
        store_query(f->store, "scripts_now", NULL, 0, f->loop, rows_came, &a[n++]);
    mem_fail_at(0, 0);
    CHECK(n >= 16 && n < ARRAY_LEN(a));
    for (size_t i = 0; i < n; i++) {
        if (!a[i].done) f->pump(f, &a[i].done);
        CHECK_INT(a[i].err, E_NOMEM);
    }
    CHECK(!store_short(f->store));
}

static void large_commits(struct store_fixture *f) {
    struct answer *a = calloc(1, sizeof *a);
    struct commit *c;
    CHECK_OK(commit_new(&c));
    for (int i = 0; i < COMMIT_OPS_MAX; i++)
        CHECK_INT(commit_add(c, OP_COUNTER_TAKE,
                             VALS(V_TEXT("large"), V_NULL, V_INT(INT64_MAX), V_INT(1))),
                  i);
    CHECK_OK(run_commit(f, c, a));
    CHECK_INT(a->values[COMMIT_OPS_MAX - 1].i, COMMIT_OPS_MAX);
    CHECK_OK(commit_new(&c));
    for (int i = 0; i <= COMMIT_OPS_MAX; i++)
        commit_add(c, OP_META_SET, VALS(V_TEXT("large"), V_TEXT("x")));
    CHECK_ERR(run_commit(f, c, a), E_LIMIT);
    size_t size = COMMIT_BYTES_MAX - 100;
    char *big = calloc(1, size + 200);
    c = one_op(OP_KV_PUT,
               VALS(V_TEXT("s"), V_TEXT("big"), V_BLOB(((struct str){big, size})), V_NULL));
    CHECK_OK(run_commit(f, c, a));
    c = one_op(OP_KV_PUT,
               VALS(V_TEXT("s"), V_TEXT("big"), V_BLOB(((struct str){big, size + 200})), V_NULL));
    CHECK_ERR(run_commit(f, c, a), E_LIMIT);
    struct rows *rows;
    CHECK_OK(run_query(f, "kv_get", VALS(V_TEXT("s"), V_TEXT("big")), &rows));
    CHECK_INT(rows_text(rows, 0, 0).n, size);
    rows_free(rows);
    free(big);
    free(a);
}

static void many_at_once(struct store_fixture *f) {
    enum { N = 300 };
    struct answer *a = calloc(N, sizeof *a);
    for (int i = 0; i < N; i++)
        submit(
            f,
            one_op(OP_COUNTER_TAKE, VALS(V_TEXT("many"), V_INT(200), V_INT(INT64_MAX), V_INT(1))),
            i % 2 == 0 ? LANE_NEW : LANE_RESULT, &a[i]);
    int good = 0;
    bool seen[201] = {0};
    for (int i = 0; i < N; i++) {
        f->pump(f, &a[i].done);
        CHECK(a[i].err == 0 || a[i].err == E_GUARD);
        if (a[i].err != 0) continue;
        good++;
        CHECK(!seen[a[i].values[0].i]); /* each number once */
        seen[a[i].values[0].i] = true;
    }
    CHECK_INT(good, 200);
    free(a);
}

void store_conformance(struct store_fixture *f) {
    all_or_nothing(f);
    builder_errors_stick(f);
    values_have_versions(f);
    takes_are_exclusive(f);
    slots_wrap(f);
    slots_are_found_by_their_holder(f);
    events_have_no_gap(f);
    jobs_move_by_their_table(f);
    operations_move_by_their_table(f);
    reads_only_read(f);
    points_are_bounded(f);
    listeners_hear(f);
    scripts_and_grants(f);
    reads_without_memory(f);
    large_commits(f);
    many_at_once(f);
    CHECK_OK(store_verify(f->store, NULL));
}
