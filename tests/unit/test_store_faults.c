/* The disk misbehaves at the nth call, for each n: write error, no space, failed sync, read error.
 * An error that leaves doubt ends the store (store_fatal) and nothing is acknowledged after it; no
 * space only refuses. Either way what was acknowledged is there afterwards, each commit once. */
#include "base/mem.h"
#include "store/vfs_record.h"
#include "store_conformance.h"
#include "sys/log.h"

#include <stdio.h>
#include <string.h>

#define COMMITS 24

struct world {
    struct store_fixture f;
    struct clock clock;
    struct rng rng;
    struct disk *disk;
    struct store_options o;
    bool acked[COMMITS];
    int answers, full;
};

static int fatals;
static void note_fatal(const char *what, const char *detail) {
    (void)what, (void)detail;
    fatals++;
}
static void no_line(void *data, struct str line) {
    (void)data, (void)line;
}

static int start(struct world *w) {
    struct why why = {0};
    CHECK_OK(loop_sim_new(&w->f.loop, &w->clock, NULL));
    w->o = (struct store_options){.path = disk_path(w->disk),
                                  .vfs = VFS_RECORD,
                                  .clock = &w->clock,
                                  .reserve = 40960,
                                  .checkpoint_pages = 12,
                                  .inline_on = w->f.loop};
    int err = store_open(&w->f.store, &w->o, &why);
    if (err == 0) err = store_migrate(w->f.store, NULL, &why);
    return err;
}

static void world_start(struct world *w, uint64_t seed) {
    memset(w, 0, sizeof *w);
    rng_seeded(&w->rng, seed);
    clock_virtual(&w->clock, 1000);
    CHECK_OK(disk_new(&w->disk, seed));
    w->f.pump = pump_sim;
    CHECK_OK(start(w));
    log_capture(no_line, NULL);
    store_fatal = note_fatal;
    fatals = 0;
}

struct one {
    struct world *w;
    int n;
    bool late; /* submitted after the end */
};

static void answered(const struct commit_result *r, void *data) {
    struct one *one = data;
    struct world *w = one->w;
    w->answers++;
    if (one->late) CHECK_ERR(r->err, E_IO); /* nothing is believed after the end */
    CHECK(r->err == 0 || r->err == E_FULL || r->err == E_IO || r->err == E_CORRUPT);
    w->full += r->err == E_FULL;
    w->acked[one->n] = r->err == 0;
}

static struct commit *make(int n) {
    static char text[6000];
    char key[20];
    struct commit *c;
    memset(text, 'x', sizeof text);
    snprintf(key, sizeof key, "%d", n);
    CHECK_OK(commit_new(&c));
    commit_add(c, OP_KV_PUT,
               VALS(V_TEXT("w"), V_TEXT(key), V_BLOB(((struct str){text, sizeof text})), V_INT(0)));
    commit_add(c, OP_EVENT_APPEND,
               VALS(V_TEXT("w"), V_TEXT("t"), V_TEXT(key), V_BLOB(STR("{}")), V_INT(1)));
    return c;
}

/* All commits, in groups of three, results among them. */
static void work(struct world *w, struct one *ones) {
    for (int n = 0; n < COMMITS; n++) {
        ones[n] = (struct one){w, n, fatals > 0};
        store_submit(w->f.store, make(n), n % 3 == 0 ? LANE_RESULT : LANE_NEW, w->f.loop, answered,
                     &ones[n]);
        if (n % 3 == 2) loop_sim_drain(w->f.loop);
    }
}

/* Power off, another start on what the disk may hold: every acknowledged commit is there entirely,
 * and none is there in part. */
static void check_after(struct world *w) {
    struct disk *image;
    CHECK_OK(disk_image(w->disk, (enum disk_image)rng_below(&w->rng, 4), &w->rng, &image));
    store_crash(w->f.store);
    loop_delete(w->f.loop);
    disk_delete(w->disk);
    w->disk = image;
    CHECK_OK(start(w));
    CHECK_OK(store_verify(w->f.store, NULL));
    for (int n = 0; n < COMMITS; n++) {
        char key[20];
        struct rows *rows, *events;
        snprintf(key, sizeof key, "%d", n);
        CHECK_OK(store_get(w->f.store, "kv_get", VALS(V_TEXT("w"), V_TEXT(key)), &rows));
        CHECK_OK(run_select(&w->f, "SELECT 1 FROM event WHERE object = ?1", VALS(V_TEXT(key)),
                            &events, NULL));
        CHECK_INT(rows_count(rows), rows_count(events));
        if (w->acked[n]) CHECK_INT(rows_count(rows), 1);
        rows_free(rows);
        rows_free(events);
    }
    store_close(w->f.store);
    loop_delete(w->f.loop);
    disk_delete(w->disk);
}

/* Runs the work with the fault at call n; false: it has no nth call any more. */
static bool fault_at_call(enum disk_fault fault, uint64_t n, int *ends, int *fulls) {
    struct world w;
    struct one ones[COMMITS];
    world_start(&w, n);
    disk_fail(w.disk, fault, n);
    work(&w, ones);
    bool happened = disk_failed(w.disk, fault);
    disk_fail(w.disk, fault, 0);
    for (int i = 0; i < 100 && w.answers < COMMITS; i++)
        loop_sim_run_for(w.f.loop, 100); /* results that waited for space */
    CHECK_INT(w.answers, COMMITS);
    *ends += fatals;
    *fulls += w.full;
    CHECK(fatals <= 1);
    if (happened && fault != DISK_WRITE_FULL) CHECK_INT(fatals, 1);
    if (fault == DISK_WRITE_FULL) CHECK_INT(fatals, 0);
    check_after(&w);
    return happened;
}

static void every_call(enum disk_fault fault, int step) {
    int ends = 0, fulls = 0;
    uint64_t n = 1;
    while (n < 3000 && fault_at_call(fault, n, &ends, &fulls))
        n += (uint64_t)step;
    print_message("calls %d, ends %d, refused for space %d\n", (int)n, ends, fulls);
    CHECK(n > 5);
    if (fault == DISK_WRITE_FULL) CHECK(fulls > 0);
}

static void a_failed_sync_ends_it_and_loses_nothing(void **state) {
    (void)state;
    every_call(DISK_SYNC_ERROR, 1);
}
static void a_write_error_ends_it_and_loses_nothing(void **state) {
    (void)state;
    every_call(DISK_WRITE_ERROR, 3);
}
static void no_space_refuses_and_loses_nothing(void **state) {
    (void)state;
    every_call(DISK_WRITE_FULL, 3);
}

/* A disk that is full for long, at each size: new work is refused, results use the reserve, and it
 * recovers by itself. */
static void a_full_disk_recovers(void **state) {
    (void)state;
    int fulls = 0, results = 0;
    for (int64_t room = 0; room < 200000; room += 7777) {
        struct world w;
        struct one ones[COMMITS];
        world_start(&w, (uint64_t)room + 1);
        disk_quota(w.disk, disk_used(w.disk) + room);
        work(&w, ones);
        loop_sim_run_for(w.f.loop, 3000);
        fulls += w.full;
        for (int n = 0; n < COMMITS && w.full > 0; n += 3)
            results += w.acked[n];
        disk_quota(w.disk, -1);
        loop_sim_run_for(w.f.loop, 3000);
        CHECK_INT(w.answers, COMMITS);
        for (int n = 0; n < COMMITS; n += 3)
            CHECK(w.acked[n]); /* a result is never refused */
        CHECK_OK(run_commit(&w.f, one_op(OP_META_SET, VALS(V_TEXT("a"), V_TEXT("b"))), NULL));
        CHECK_INT(fatals, 0);
        check_after(&w);
    }
    CHECK(fulls > 10);
    CHECK(results > 10); /* while it was full */
}

/* The frames of a group go into the WAL by one write (vfs_gather.c): a header and a page each, they
 * were two dozen. */
static void a_group_is_one_write(void **state) {
    (void)state;
    struct world w;
    struct one ones[3];
    world_start(&w, 1);
    store_crash(w.f.store);
    loop_delete(w.f.loop);
    CHECK_OK(loop_sim_new(&w.f.loop, &w.clock, NULL));
    w.o.checkpoint_pages = 4000;
    w.o.inline_on = w.f.loop;
    CHECK_OK(store_open(&w.f.store, &w.o, NULL));
    CHECK_OK(store_migrate(w.f.store, NULL, NULL));
    for (int group = 0; group < 2; group++) { /* the first begins the WAL, with its header */
        struct disk_counts before = disk_counts(w.disk);
        for (int n = 0; n < 3; n++) {
            ones[n] = (struct one){&w, n, false};
            store_submit(w.f.store, make(n + 3 * group), LANE_NEW, w.f.loop, answered, &ones[n]);
        }
        loop_sim_drain(w.f.loop);
        struct disk_counts now = disk_counts(w.disk);
        if (group == 1) CHECK_INT(now.writes - before.writes, 1);
        if (group == 1) CHECK_INT(now.syncs - before.syncs, 1);
    }
    CHECK_INT(w.answers, 6);
    store_crash(w.f.store);
    loop_delete(w.f.loop);
    disk_delete(w.disk);
}

static const struct CMUnitTest TESTS[] = {
    cmocka_unit_test(a_group_is_one_write),
    cmocka_unit_test(a_failed_sync_ends_it_and_loses_nothing),
    cmocka_unit_test(a_write_error_ends_it_and_loses_nothing),
    cmocka_unit_test(no_space_refuses_and_loses_nothing),
    cmocka_unit_test(a_full_disk_recovers),
};
UNIT_MAIN("store_faults", TESTS)
