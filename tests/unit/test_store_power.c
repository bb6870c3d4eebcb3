/* The power fails at any moment: real commits through the real store over the recording VFS; before
 * each write, truncation, deletion and sync, images are built that the disk could then hold. Each
 * is opened as at a start and must be whole: `store_verify` finds nothing, every commit is there
 * entirely or not at all, in the order in which they went in, and whatever was acknowledged is.
 *
 * 20,000 images at least, or 20 for each of TEST_ROUNDS (`make faults`: 200,000; sanitizers
 * for fewer). */
#include "base/mem.h"
#include "base/rng.h"
#include "store/vfs_record.h"
#include "store_conformance.h"

#include <stdio.h>
#include <stdlib.h>

#define COMMITS_MAX 4096

struct run {
    struct store_fixture f;
    struct clock clock;
    struct disk *disk;
    struct rng rng, image_rng;
    struct store_options o;
    int submitted;            /* commits 1 .. submitted were given to the store, in this order */
    int acked;                /* and 1 .. acked were answered */
    int pieces[COMMITS_MAX];  /* rows that commit n adds */
    uint64_t checked_version; /* the safe state that was last looked at alone */
    int checked_acked;
    unsigned long points, by_kind[4];
    bool checking;
    bool deaf;     /* answers are not heard any more */
    unsigned thin; /* one of so many moments is looked at */
};

static int put_rows(void) {
    const char *rounds = getenv("TEST_ROUNDS");
    long n = rounds == NULL ? 0 : atol(rounds);
    return n > 0 ? (int)(n * 20) : 20000;
}

/* ---- the workload ---- */

static void value_of(int n, int i, char *out, size_t size) {
    /* some values need overflow pages, some commits nearly none */
    size_t len = 10 + (size_t)((n * 7919 + i * 104729) % 97 == 0 ? 9000 : (n * 31 + i * 17) % 700);
    if (len >= size) len = size - 1;
    for (size_t k = 0; k < len; k++)
        out[k] = (char)('a' + (n * 13 + i * 5 + (int)k) % 26);
    out[len] = '\0';
}

/* Commit n: rows of its own in several tables, and the one row that all write ("head"). */
static struct commit *make(struct run *r, int n) {
    struct commit *c;
    char key[40], text[10000];
    CHECK_OK(commit_new(&c));
    int kv = 1 + (int)rng_below(&r->rng, 3), events = (int)rng_below(&r->rng, 3);
    bool job = rng_below(&r->rng, 2) == 0, operation = rng_below(&r->rng, 3) == 0;
    for (int i = 0; i < kv; i++) {
        snprintf(key, sizeof key, "%d.%d", n, i);
        value_of(n, i, text, sizeof text);
        commit_add(c, OP_KV_PUT, VALS(V_TEXT("w"), V_TEXT(key), V_BLOB(str_of(text)), V_INT(0)));
    }
    snprintf(key, sizeof key, "%d", n);
    for (int i = 0; i < events; i++)
        commit_add(c, OP_EVENT_APPEND,
                   VALS(V_TEXT(i == 0 ? "a" : "b"), V_TEXT("t"), V_TEXT(key), V_BLOB(STR("{}")),
                        V_INT(n)));
    if (job)
        commit_add(c, OP_JOB_ENQUEUE,
                   VALS(V_TEXT(key), V_TEXT("j"), V_BLOB(STR("{}")), V_INT(1), V_INT(0), V_INT(0),
                        V_NULL, V_NULL, V_INT(1)));
    if (operation)
        commit_add(c, OP_OPERATION_INSERT,
                   VALS(V_TEXT(key), V_TEXT("create"), V_TEXT("s"), V_TEXT("v"), V_TEXT("a"),
                        V_TEXT(key), V_TEXT("sending"), V_BLOB(STR("{}")), V_INT(1)));
    commit_add(c, OP_KV_PUT, VALS(V_TEXT("head"), V_TEXT("n"), V_BLOB(str_of(key)), V_NULL));
    r->pieces[n] = kv + events + job + operation;
    return c;
}

static void acked(const struct commit_result *result, void *data) {
    struct run *r = data;
    CHECK_OK(result->err);
    if (!r->deaf) r->acked++;
}

/* ---- looking at one image ---- */

static void finding(void *data, bool good, const char *text) {
    (void)data;
    if (!good) print_error("%s\n", text);
}

static const char PIECES[] =
    "SELECT n, sum(c) FROM ("
    "SELECT CAST(substr(key, 1, instr(key, '.') - 1) AS INTEGER) AS n, 1 AS c FROM kv"
    " WHERE scope = 'w' UNION ALL SELECT CAST(object AS INTEGER), 1 FROM event"
    " UNION ALL SELECT CAST(id AS INTEGER), 1 FROM job"
    " UNION ALL SELECT CAST(id AS INTEGER), 1 FROM operation) GROUP BY n ORDER BY n";

static void check_values(struct store_fixture *f, int newest) {
    char key[40], text[10000];
    for (int n = newest; n > 0 && n > newest - 3; n--) {
        struct rows *rows;
        snprintf(key, sizeof key, "%d.0", n);
        value_of(n, 0, text, sizeof text);
        CHECK_OK(store_get(f->store, "kv_get", VALS(V_TEXT("w"), V_TEXT(key)), &rows));
        CHECK_INT(rows_count(rows), 1);
        CHECK_STR(rows_text(rows, 0, 0), text);
        rows_free(rows);
    }
}

static void check_image(struct run *r, enum disk_image kind) {
    struct disk *image;
    struct store_fixture f = {.pump = pump_sim};
    struct clock clock;
    struct why why = {0};
    CHECK_OK(disk_image(r->disk, kind, &r->image_rng, &image));
    clock_virtual(&clock, 1000);
    CHECK_OK(loop_sim_new(&f.loop, &clock, NULL));
    struct store_options o = {
        .path = disk_path(image), .vfs = VFS_RECORD, .clock = &clock, .inline_on = f.loop};
    int err = store_open(&f.store, &o, &why);
    if (err == 0 && r->submitted == 0) err = store_migrate(f.store, NULL, &why);
    if (err != 0) print_error("%s\n", why.text);
    CHECK_OK(err);
    CHECK_OK(store_verify(f.store, &(struct store_report){.line = finding}));
    struct rows *rows;
    CHECK_OK(run_select(&f, PIECES, NULL, 0, &rows, &why));
    int newest = (int)rows_count(rows);
    for (int i = 0; i < newest; i++) {
        CHECK_INT(rows_int(rows, (size_t)i, 0), i + 1);            /* in order, without a gap */
        CHECK_INT(rows_int(rows, (size_t)i, 1), r->pieces[i + 1]); /* entirely */
    }
    rows_free(rows);
    if (newest < r->acked || newest > r->submitted)
        print_error("%d commits there, %d acknowledged, %d submitted\n", newest, r->acked,
                    r->submitted);
    CHECK(newest >= r->acked && newest <= r->submitted);
    CHECK_OK(store_get(f.store, "kv_get", VALS(V_TEXT("head"), V_TEXT("n")), &rows));
    char head[20] = "";
    if (rows_count(rows) != 0) snprintf(head, sizeof head, "%.*s", STR_FMT(rows_text(rows, 0, 0)));
    CHECK_INT(atoi(head), newest);
    rows_free(rows);
    check_values(&f, newest);
    store_crash(f.store);
    loop_delete(f.loop);
    disk_delete(image);
    r->points++;
    r->by_kind[kind]++;
}

/* An image is looked at only if it can differ from the last of its kind. */
static void before_change(struct disk *disk, void *data) {
    struct run *r = data;
    if (r->checking || rng_below(&r->image_rng, r->thin) != 0) return;
    r->checking = true;
    if (disk_safe_version(disk) != r->checked_version || r->acked != r->checked_acked) {
        r->checked_version = disk_safe_version(disk);
        r->checked_acked = r->acked;
        check_image(r, IMAGE_NONE);
    }
    size_t pending = disk_pending(disk);
    if (pending > 0) {
        check_image(r, IMAGE_ALL);
        check_image(r, IMAGE_TORN);
    }
    if (pending > 1) check_image(r, IMAGE_SOME);
    r->checking = false;
}

/* ---- the run ---- */

static void open_store(struct run *r) {
    struct why why = {0};
    CHECK_OK(loop_sim_new(&r->f.loop, &r->clock, NULL));
    r->o.inline_on = r->f.loop;
    r->o.path = disk_path(r->disk);
    int err = store_open(&r->f.store, &r->o, &why);
    if (err == 0) err = store_migrate(r->f.store, NULL, &why);
    if (err != 0) print_error("%s\n", why.text);
    CHECK_OK(err);
}

static void start(struct run *r, uint64_t seed) {
    memset(r, 0, sizeof *r);
    rng_seeded(&r->rng, seed);
    rng_seeded(&r->image_rng, seed + 1);
    clock_virtual(&r->clock, 1000);
    CHECK_OK(disk_new(&r->disk, seed));
    r->f.pump = pump_sim;
    r->f.clock = &r->clock;
    r->thin = 1;
    r->o = (struct store_options){.vfs = VFS_RECORD,
                                  .clock = &r->clock,
                                  .reserve = 32768,
                                  .checkpoint_pages = 20 + (int)rng_below(&r->rng, 60)};
}

static void end(struct run *r) {
    store_close(r->f.store);
    loop_delete(r->f.loop);
    CHECK_INT(r->acked, r->submitted);
    disk_watch(r->disk, NULL, NULL);
    check_image(r, IMAGE_NONE); /* closed well */
    disk_delete(r->disk);
}

/* The store is crashed and goes on with what an image holds. */
static void crash(struct run *r) {
    struct disk *image;
    enum disk_image kind = (enum disk_image)rng_below(&r->rng, 4);
    disk_cut(r->disk);
    store_crash(r->f.store);
    loop_delete(r->f.loop);
    CHECK_OK(disk_image(r->disk, kind, &r->image_rng, &image));
    disk_delete(r->disk);
    r->disk = image;
    r->checked_version = 0;
    open_store(r);
    struct rows *rows;
    CHECK_OK(run_select(&r->f, PIECES, NULL, 0, &rows, NULL));
    CHECK((int)rows_count(rows) >= r->acked);
    r->submitted = r->acked = (int)rows_count(rows); /* the rest is forgotten by both */
    rows_free(rows);
    disk_watch(r->disk, before_change, r);
}

static void work(struct run *r, int groups, unsigned long until) {
    for (int g = 0; g < groups && r->points < until; g++) {
        int size = 1 + (int)rng_below(&r->rng, 5);
        enum lane lane = rng_below(&r->rng, 2) == 0 ? LANE_RESULT : LANE_NEW; /* keeps the order */
        for (int i = 0; i < size; i++) {
            struct commit *c = make(r, r->submitted + 1);
            r->submitted++;
            store_submit(r->f.store, c, lane, r->f.loop, acked, r);
        }
        uint64_t what = rng_below(&r->rng, 20);
        if (what == 0) {
            crash(r); /* what was submitted never ran */
        } else if (what == 1) {
            loop_sim_step(r->f.loop); /* ran, and nobody heard: the answers go with the process */
            r->deaf = true;
            loop_sim_drain(r->f.loop);
            r->deaf = false;
            crash(r);
        } else {
            loop_sim_drain(r->f.loop);
            CHECK_INT(r->acked, r->submitted);
        }
        if (what == 2) { /* an ordered end, with its checkpoint, and a start */
            store_close(r->f.store);
            loop_delete(r->f.loop);
            open_store(r);
        }
    }
}

static void nothing_acknowledged_is_lost(void **state) {
    (void)state;
    unsigned long wanted = (unsigned long)put_rows(), points = 0, by_kind[4] = {0};
    for (uint64_t seed = 1; points < wanted; seed++) {
        static struct run r;
        start(&r, seed);
        open_store(&r);
        disk_watch(r.disk, before_change, &r);
        work(&r, 40, wanted - points);
        end(&r);
        points += r.points;
        for (int k = 0; k < 4; k++)
            by_kind[k] += r.by_kind[k];
    }
    print_message("%lu power cuts: %lu with nothing unsynced, %lu all, %lu some, %lu torn\n",
                  points, by_kind[IMAGE_NONE], by_kind[IMAGE_ALL], by_kind[IMAGE_SOME],
                  by_kind[IMAGE_TORN]);
}

static const struct CMUnitTest TESTS[] = {
    cmocka_unit_test(nothing_acknowledged_is_lost),
};
UNIT_MAIN("store_power", TESTS)
