/* The writer: groups, lanes, bounds, lost groups, full disk, failed fsync, crash, no memory. */
#include "base/fault.h"
#include "base/mem.h"
#include "shim_vfs.h"
#include "store_conformance.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define MANY 500

struct world {
    struct store_fixture f;
    struct clock clock;
    char dir[320];
    struct store_options o;
};

static void world_open(struct world *w) {
    struct why why = {0};
    int err = store_open(&w->f.store, &w->o, &why);
    if (err != 0) print_error("%s\n", why.text);
    CHECK_OK(err);
    CHECK_OK(store_migrate(w->f.store, NULL, &why));
}

static void world_start(struct world *w, const char *name, bool threads) {
    memset(w, 0, sizeof *w);
    shim_vfs_register();
    snprintf(w->dir, sizeof w->dir, "%s/%s", unit_tmpdir(), name);
    mkdir(w->dir, 0700);
    if (threads) {
        clock_real(&w->clock);
        CHECK_OK(loop_uv_new(&w->f.loop, &w->clock));
    } else {
        clock_virtual(&w->clock, 1000);
        CHECK_OK(loop_sim_new(&w->f.loop, &w->clock, NULL));
    }
    w->f.clock = &w->clock;
    w->f.pump = threads ? pump_uv : pump_sim;
    w->o = (struct store_options){.path = w->dir,
                                  .vfs = SHIM_VFS,
                                  .clock = &w->clock,
                                  .reserve = 65536,
                                  .inline_on = threads ? NULL : w->f.loop};
}

static void world_end(struct world *w) {
    store_close(w->f.store);
    loop_delete(w->f.loop);
    shim_vfs_register();
}

static struct commit *count_one(const char *name) {
    return one_op(OP_COUNTER_TAKE, VALS(V_TEXT(name), V_NULL, V_INT(INT64_MAX), V_INT(1)));
}

static void a_group_takes_one_sync(void **state) {
    (void)state;
    struct world w;
    world_start(&w, "group", true);
    world_open(&w);
    struct answer *a = calloc(MANY, sizeof *a);
    struct store_stats before, after;
    store_stats(w.f.store, &before);
    int64_t syncs = shim_syncs;
    for (int i = 0; i < MANY; i++)
        submit(&w.f, count_one("n"), LANE_NEW, &a[i]);
    for (int i = 0; i < MANY; i++) {
        w.f.pump(&w.f, &a[i].done);
        CHECK_OK(a[i].err);
        CHECK_INT(a[i].values[0].i, i + 1); /* in order */
    }
    store_stats(w.f.store, &after);
    CHECK_INT(after.commits - before.commits, MANY);
    CHECK(after.groups - before.groups < MANY / 4);
    CHECK(shim_syncs > syncs); /* it did sync ... */
    CHECK(shim_syncs - syncs < MANY / 4);
    free(a);
    world_end(&w);
}

static void each_commit_alone_is_synced(void **state) {
    (void)state;
    struct world w;
    world_start(&w, "synced", true);
    world_open(&w);
    for (int i = 0; i < 10; i++) {
        int64_t syncs = shim_syncs;
        CHECK_OK(run_commit(&w.f, count_one("n"), NULL));
        CHECK(shim_syncs > syncs); /* before the answer */
    }
    world_end(&w);
}

/* A thread that rests may hold a snapshot between its reads: what was committed is seen nevertheless,
 * and the WAL starts over. */
static void reads_between_rests(void **state) {
    (void)state;
    struct world w;
    char wal[400];
    struct stat began, st;
    world_start(&w, "rests", true);
    w.o.checkpoint_pages = 8;
    world_open(&w);
    snprintf(wal, sizeof wal, "%s/luwak.db-wal", w.dir);
    CHECK_INT(stat(wal, &began), 0);
    store_will_rest(w.f.store);
    for (int i = 0; i < 300; i++) {
        char value[20];
        struct rows *rows;
        snprintf(value, sizeof value, "%d", i);
        CHECK_OK(run_commit(
            &w.f, one_op(OP_KV_PUT, VALS(V_TEXT("w"), V_TEXT("k"), V_BLOB(str_of(value)), V_NULL)),
            NULL));
        for (int again = 0; again < 2; again++) {
            CHECK_OK(store_get(w.f.store, "kv_get", VALS(V_TEXT("w"), V_TEXT("k")), &rows));
            CHECK_INT(rows_count(rows), 1);
            CHECK_STR(rows_text(rows, 0, 0), value);
            rows_free(rows);
        }
        store_rest(w.f.store);
    }
    CHECK_INT(stat(wal, &st), 0);
    CHECK(st.st_size <= began.st_size + 20 * 4120);
    world_end(&w);
}

static void results_go_first(void **state) {
    (void)state;
    struct world w;
    world_start(&w, "lanes", false);
    world_open(&w);
    static struct answer a[6];
    for (int i = 0; i < 6; i++)
        submit(&w.f, count_one("n"), i < 4 ? LANE_NEW : LANE_RESULT, &a[i]);
    for (int i = 0; i < 6; i++)
        w.f.pump(&w.f, &a[i].done);
    CHECK_INT(a[4].values[0].i, 1);
    CHECK_INT(a[5].values[0].i, 2);
    CHECK_INT(a[0].values[0].i, 3);
    CHECK_INT(a[3].values[0].i, 6);
    world_end(&w);
}

static void bounds_refuse_only_new_work(void **state) {
    (void)state;
    struct world w;
    world_start(&w, "bounds", false);
    w.o.queue_max = 5;
    world_open(&w);
    static struct answer a[20];
    for (int i = 0; i < 20; i++)
        submit(&w.f, count_one("n"), i < 10 ? LANE_NEW : LANE_RESULT, &a[i]);
    for (int i = 0; i < 20; i++) {
        w.f.pump(&w.f, &a[i].done);
        CHECK_ERR(a[i].err, i >= 5 && i < 10 ? E_BUSY : 0);
    }
    CHECK_OK(run_commit(&w.f, count_one("n"), NULL)); /* there is room again */
    world_end(&w);
}

static void a_lost_group_is_run_again(void **state) {
    (void)state;
    static const char *const PLANS[] = {"store.commit=fail", "store.begin=fail"};
    for (int p = 0; p < 2; p++) {
        struct world w;
        world_start(&w, p == 0 ? "lost" : "lost2", false);
        world_open(&w);
        static struct answer a[8];
        fault_set(PLANS[p]);
        for (int i = 0; i < 8; i++)
            submit(&w.f,
                   i == 3 ? one_op(OP_JOB_CLAIM, VALS(V_TEXT("none"), V_INT(1), V_INT(1)))
                          : count_one("n"),
                   LANE_NEW, &a[i]);
        for (int i = 0; i < 8; i++) {
            w.f.pump(&w.f, &a[i].done);
            CHECK_INT(a[i].times, 1);
            CHECK_ERR(a[i].err, i == 3 ? E_GUARD : 0);
            if (i != 3) CHECK_INT(a[i].values[0].i, i < 3 ? i + 1 : i); /* each once */
        }
        fault_set("");
        struct store_stats stats;
        store_stats(w.f.store, &stats);
        CHECK_INT(stats.reruns, 1);
        world_end(&w);
    }
}

static void one_commit_fails_alone(void **state) {
    (void)state;
    struct world w;
    world_start(&w, "alone", false);
    world_open(&w);
    static struct answer a[3];
    submit(&w.f, count_one("n"), LANE_NEW, &a[0]);
    struct commit *c = count_one("n");
    commit_add(c, OP_JOB_CLAIM, VALS(V_TEXT("none"), V_INT(1), V_INT(1)));
    submit(&w.f, c, LANE_NEW, &a[1]);
    submit(&w.f, count_one("n"), LANE_NEW, &a[2]);
    for (int i = 0; i < 3; i++)
        w.f.pump(&w.f, &a[i].done);
    CHECK_OK(a[0].err);
    CHECK_ERR(a[1].err, E_GUARD);
    CHECK_INT(a[1].failed_op, 1);
    CHECK_INT(a[2].values[0].i, 2);
    struct store_stats stats;
    store_stats(w.f.store, &stats);
    CHECK_INT(stats.groups, 1);
    world_end(&w);
}

static struct commit *posting(bool fails) {
    struct commit *c = one_op(OP_LEDGER_POST, VALS(V_TEXT("bank"), V_TEXT("rounding"), V_INT(7),
                                                   V_TEXT("test"), V_NULL, V_INT(1)));
    if (fails) commit_add(c, OP_JOB_CLAIM, VALS(V_TEXT("none"), V_INT(1), V_INT(1)));
    return c;
}

/* The accounts of the books come into being when they are first used; what was undone is no use. */
static void an_account_that_was_undone_comes_again(void **state) {
    (void)state;
    struct world w;
    world_start(&w, "undone", false);
    world_open(&w);
    static struct answer a[3];
    CHECK_ERR(run_commit(&w.f, posting(true), NULL), E_GUARD);
    CHECK_OK(run_commit(&w.f, posting(false), NULL));
    CHECK_OK(run_commit(&w.f, posting(false), NULL));
    submit(&w.f, posting(false), LANE_NEW, &a[0]); /* and in one group */
    submit(&w.f, posting(true), LANE_NEW, &a[1]);
    submit(&w.f, posting(false), LANE_NEW, &a[2]);
    for (int i = 0; i < 3; i++)
        w.f.pump(&w.f, &a[i].done);
    CHECK_OK(a[0].err);
    CHECK_ERR(a[1].err, E_GUARD);
    CHECK_OK(a[2].err);
    CHECK_INT(count_rows(&w.f, "ledger_account"), 2);
    CHECK_INT(count_rows(&w.f, "ledger_entry"), 4);
    CHECK_OK(store_verify(w.f.store, NULL));
    world_end(&w);
}

/* Results that somebody waits for who comes again. */
static void refused_at_once(struct world *w) {
    static struct answer asked[3];
    for (int i = 0; i < 3; i++) {
        struct commit *c = count_one("n");
        commit_impatient(c);
        asked[i] = (struct answer){0};
        submit(&w->f, c, LANE_RESULT, &asked[i]);
    }
    for (int i = 0; i < 3; i++) {
        w->f.pump(&w->f, &asked[i].done);
        CHECK_ERR(asked[i].err, E_FULL);
    }
}

static void full_disk(bool threads) {
    struct world w;
    world_start(&w, threads ? "full" : "full_inline", threads);
    world_open(&w);
    CHECK_OK(run_commit(&w.f, count_one("n"), NULL));
    shim_room = 0;
    CHECK_ERR(run_commit(&w.f, count_one("n"), NULL), E_FULL);
    struct store_stats stats;
    store_stats(w.f.store, &stats);
    CHECK(stats.full);
    refused_at_once(&w);
    static struct answer result[3], fresh;
    for (int i = 0; i < 3; i++)
        submit(&w.f, count_one("n"), LANE_RESULT, &result[i]);
    for (int i = 0; i < 20; i++)
        submit(&w.f, count_one("n"), LANE_NEW, &fresh), w.f.pump(&w.f, &fresh.done);
    CHECK_ERR(fresh.err, E_FULL);
    for (int i = 0; i < 3; i++)
        CHECK(!result[i].done); /* waits; is neither lost nor refused */
    refused_at_once(&w);        /* behind those that wait */
    for (int i = 0; i < 3; i++)
        CHECK(!result[i].done);
    struct rows *rows; /* reading goes on */
    CHECK_OK(store_get(w.f.store, "counter_get", VALS(V_TEXT("n")), &rows));
    CHECK_INT(rows_int(rows, 0, 0), 1);
    rows_free(rows);
    shim_room = -1;
    for (int i = 0; i < 3; i++) { /* by itself */
        w.f.pump(&w.f, &result[i].done);
        CHECK_OK(result[i].err);
        CHECK_INT(result[i].values[0].i, i + 2); /* in order */
    }
    int err = E_FULL;
    for (int i = 0; i < 1000 && err == E_FULL; i++) {
        err = run_commit(&w.f, count_one("n"), NULL);
        if (threads)
            usleep(1000);
        else
            clock_virtual_advance(&w.clock, 1000000);
    }
    CHECK_OK(err);
    store_stats(w.f.store, &stats);
    CHECK(!stats.full);
    CHECK_OK(store_verify(w.f.store, NULL));
    world_end(&w);
}

static void a_full_disk_refuses_new_work_and_keeps_results(void **state) {
    (void)state;
    full_disk(true);
    full_disk(false);
}

/* A real file system of 2 MB: the reserve gives results room that new work does not get. */
static void the_reserve_is_for_results(void **state) {
    (void)state;
    struct world w;
    world_start(&w, "small", true);
    if (mount("tmpfs", w.dir, "tmpfs", 0, "size=2m") != 0) {
        print_message("not root: the small file system is left out\n");
        loop_delete(w.f.loop);
        return;
    }
    w.o.vfs = NULL;
    w.o.reserve = 256 * 1024;
    world_open(&w);
    char path[400], blob[8192];
    memset(blob, 'x', sizeof blob);
    struct answer *a = calloc(1, sizeof *a);
    char key[20];
    int err = 0, written = 0;
    for (; err == 0 && written < 1000; written++) {
        snprintf(key, sizeof key, "%d", written);
        err = run_commit(&w.f,
                         one_op(OP_KV_PUT, VALS(V_TEXT("s"), V_TEXT(key),
                                                V_BLOB(((struct str){blob, sizeof blob})), V_NULL)),
                         a);
    }
    CHECK_ERR(err, E_FULL);
    CHECK(written > 10);
    snprintf(path, sizeof path, "%s/filler", w.dir);
    int fd = open(path, O_WRONLY | O_CREAT, 0600); /* what is still free */
    while (write(fd, blob, 512) > 0)
        ;
    close(fd);
    submit(&w.f, count_one("result"), LANE_RESULT, a);
    w.f.pump(&w.f, &a->done);
    CHECK_OK(a->err);
    CHECK_ERR(run_commit(&w.f, count_one("new"), a), E_FULL);
    CHECK_OK(store_verify(w.f.store, NULL));
    CHECK(mount("tmpfs", w.dir, "tmpfs", MS_REMOUNT, "size=8m") == 0);
    for (int i = 0; i < 3000 && err == E_FULL; i++, usleep(1000))
        err = run_commit(&w.f, count_one("new"), a);
    CHECK_OK(err);
    snprintf(path, sizeof path, "%s/reserve", w.dir);
    struct stat st;
    CHECK(stat(path, &st) == 0); /* it is back */
    CHECK_INT(st.st_size, 256 * 1024);
    free(a);
    world_end(&w);
    CHECK(umount(w.dir) == 0);
}

static int fatals;
static void note_fatal(const char *what, const char *detail) {
    (void)what, (void)detail;
    fatals++;
}

static void a_failed_fsync_ends_it(void **state) {
    (void)state;
    struct world w;
    world_start(&w, "fsync", true);
    world_open(&w);
    void (*old)(const char *, const char *) = store_fatal;
    store_fatal = note_fatal;
    fatals = 0;
    CHECK_OK(run_commit(&w.f, count_one("n"), NULL));
    shim_fail_sync = 1;
    static struct answer a[4];
    for (int i = 0; i < 4; i++)
        submit(&w.f, count_one("n"), i % 2 == 0 ? LANE_NEW : LANE_RESULT, &a[i]);
    for (int i = 0; i < 4; i++) {
        w.f.pump(&w.f, &a[i].done);
        CHECK_INT(a[i].times, 1);
    }
    CHECK_INT(fatals, 1);
    for (int i = 0; i < 4; i++)
        CHECK_ERR(a[i].err, E_IO); /* none in that group, none that waited behind it */
    CHECK_ERR(run_commit(&w.f, count_one("n"), NULL), E_IO);
    CHECK_INT(fatals, 1);
    store_fatal = old;
    world_end(&w);
}

static void a_deleted_file_acknowledges_nothing(void **state) {
    (void)state;
    static const char *const GONE[] = {"luwak.db", "luwak.db-wal"};
    for (int i = 0; i < 2; i++) {
        struct world w;
        char path[400];
        world_start(&w, i == 0 ? "gone" : "gone_wal", true);
        world_open(&w);
        void (*old)(const char *, const char *) = store_fatal;
        store_fatal = note_fatal;
        fatals = 0;
        CHECK_OK(run_commit(&w.f, count_one("n"), NULL));
        snprintf(path, sizeof path, "%s/%s", w.dir, GONE[i]);
        CHECK_INT(unlink(path), 0);
        CHECK_ERR(run_commit(&w.f, count_one("n"), NULL), E_IO);
        CHECK_INT(fatals, 1);
        CHECK_ERR(run_commit(&w.f, count_one("n"), NULL), E_IO);
        CHECK_INT(fatals, 1);
        store_fatal = old;
        world_end(&w);
    }
}

static void a_crash_keeps_what_was_answered(void **state) {
    (void)state;
    struct world w;
    world_start(&w, "crash", false);
    world_open(&w);
    struct answer *a = calloc(3, sizeof *a);
    for (int i = 0; i < 5; i++)
        CHECK_OK(run_commit(&w.f, count_one("n"), NULL));
    submit(&w.f, count_one("n"), LANE_NEW, &a[0]);
    store_crash(w.f.store);
    loop_delete(w.f.loop);
    CHECK(!a[0].done);
    CHECK_OK(loop_sim_new(&w.f.loop, &w.clock, NULL));
    w.o.inline_on = w.f.loop;
    world_open(&w);
    CHECK_OK(run_commit(&w.f, count_one("n"), &a[1]));
    CHECK_INT(a[1].values[0].i, 6);
    CHECK_OK(store_verify(w.f.store, NULL));
    free(a);
    world_end(&w);
}

static void closing_waits_for_what_was_taken(void **state) {
    (void)state;
    struct world w;
    world_start(&w, "close", true);
    world_open(&w);
    static struct answer a[100];
    for (int i = 0; i < 100; i++)
        submit(&w.f, count_one("n"), LANE_NEW, &a[i]);
    store_close(w.f.store);
    for (int i = 0; i < 100; i++) {
        w.f.pump(&w.f, &a[i].done);
        CHECK_OK(a[i].err);
    }
    world_open(&w);
    CHECK_OK(run_commit(&w.f, count_one("n"), &a[0]));
    CHECK_INT(a[0].values[0].i, 101);
    world_end(&w);
}

/* The Nth allocation of ours or SQLite's fails, for each N, in one commit and one read. */
static void any_allocation_may_fail(void **state) {
    (void)state;
    struct world w;
    world_start(&w, "memory", false);
    int64_t live = mem_live();
    uint64_t n = 1;
    int64_t done = 0;
    bool failed = true;
    world_open(&w);
    struct answer *a = calloc(1, sizeof *a);
    for (; failed && n < 5000; n++) {
        struct commit *c = NULL;
        mem_fail_at(n, 0);
        if (commit_new(&c) != 0) continue;
        commit_add(c, OP_COUNTER_TAKE, VALS(V_TEXT("n"), V_NULL, V_INT(INT64_MAX), V_INT(1)));
        commit_add(c, OP_EVENT_APPEND,
                   VALS(V_TEXT("t"), V_TEXT("t"), V_TEXT("o"), V_BLOB(STR("{}")), V_INT(1)));
        submit(&w.f, c, LANE_NEW, a);
        w.f.pump(&w.f, &a->done);
        if (a->err != 0) CHECK_ERR(a->err, E_NOMEM);
        struct rows *rows = NULL;
        int err = run_query(&w.f, "counter_get", VALS(V_TEXT("n")), &rows);
        CHECK(err == 0 || err == E_NOMEM);
        rows_free(rows);
        failed = mem_has_failed();
        mem_fail_at(0, 0);
        if (a->err == 0) done++;
        CHECK_OK(run_query(&w.f, "counter_get", VALS(V_TEXT("n")), &rows));
        CHECK_INT(rows_count(rows) == 0 ? 0 : rows_int(rows, 0, 0), done);
        rows_free(rows);
    }
    mem_fail_at(0, 0);
    CHECK(!failed);
    CHECK(n > 10);
    CHECK_OK(store_verify(w.f.store, NULL));
    free(a);
    store_close(w.f.store);
    CHECK_INT(mem_live(), live);
    loop_delete(w.f.loop);
}

static void opening_may_fail_anywhere(void **state) {
    (void)state;
    struct world w;
    world_start(&w, "opening", false);
    int64_t live = mem_live();
    bool failed = true;
    for (uint64_t n = 1; failed && n < 20000; n += n < 200 ? 1 : 7) {
        struct why why = {0};
        mem_fail_at(n, 0);
        int err = store_open(&w.f.store, &w.o, &why);
        if (err == 0) {
            err = store_migrate(w.f.store, NULL, &why);
            store_close(w.f.store);
        }
        failed = mem_has_failed();
        mem_fail_at(0, 0);
        if (err != 0 && err != E_NOMEM) print_error("%d: %s\n", (int)n, why.text);
        CHECK(err == 0 || err == E_NOMEM);
        CHECK_INT(mem_live(), live);
    }
    CHECK(!failed);
    loop_delete(w.f.loop);
}

static const struct CMUnitTest TESTS[] = {
    cmocka_unit_test(a_group_takes_one_sync),
    cmocka_unit_test(each_commit_alone_is_synced),
    cmocka_unit_test(reads_between_rests),
    cmocka_unit_test(results_go_first),
    cmocka_unit_test(bounds_refuse_only_new_work),
    cmocka_unit_test(a_lost_group_is_run_again),
    cmocka_unit_test(one_commit_fails_alone),
    cmocka_unit_test(an_account_that_was_undone_comes_again),
    cmocka_unit_test(a_full_disk_refuses_new_work_and_keeps_results),
    cmocka_unit_test(the_reserve_is_for_results),
    cmocka_unit_test(a_failed_fsync_ends_it),
    cmocka_unit_test(a_crash_keeps_what_was_answered),
    cmocka_unit_test(closing_waits_for_what_was_taken),
    cmocka_unit_test(a_deleted_file_acknowledges_nothing),
    cmocka_unit_test(any_allocation_may_fail),
    cmocka_unit_test(opening_may_fail_anywhere),
};
UNIT_MAIN("store_writer", TESTS)
