/* Backup and verify: a copy is whole or is not there; damage is found, whether SQLite or we see it,
 * and a damaged file is not served. */
#include "base/fault.h"
#include "base/mem.h"
#include "store_conformance.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static struct clock clock_;
static struct store_fixture f;
static char dir[300], file[320], copy[320];
static struct why why;

static void start(const char *name) {
    clock_real(&clock_);
    snprintf(dir, sizeof dir, "%s/%s", unit_tmpdir(), name);
    snprintf(file, sizeof file, "%s/luwak.db", dir);
    snprintf(copy, sizeof copy, "%s-copy.db", dir);
    mkdir(dir, 0700);
    memset(&f, 0, sizeof f);
    memset(&why, 0, sizeof why);
    f.pump = pump_uv;
    CHECK_OK(loop_uv_new(&f.loop, &clock_));
    struct store_options o = {.path = dir, .clock = &clock_};
    CHECK_OK(store_open(&f.store, &o, &why));
    CHECK_OK(store_migrate(f.store, NULL, &why));
}

static void end(void) {
    store_close(f.store);
    loop_delete(f.loop);
}

static void fill(int n) {
    struct answer *a = calloc((size_t)n, sizeof *a);
    for (int i = 0; i < n; i++) {
        char id[40];
        snprintf(id, sizeof id, "op_%d", i);
        struct commit *c =
            one_op(OP_OPERATION_INSERT,
                   VALS(V_TEXT(id), V_TEXT("k"), V_TEXT("s"), V_TEXT("v"), V_TEXT("acc"),
                        V_TEXT(id), V_TEXT("sending"), V_BLOB(STR("{}")), V_INT(1)));
        commit_add(c, OP_EVENT_APPEND,
                   VALS(V_TEXT("t"), V_TEXT("t"), V_TEXT(id), V_BLOB(STR("{}")), V_INT(1)));
        submit(&f, c, LANE_NEW, &a[i]);
    }
    for (int i = 0; i < n; i++) {
        f.pump(&f, &a[i].done);
        CHECK_OK(a[i].err);
    }
    free(a);
}

static void sql_at(const char *path, const char *sql) {
    sqlite3 *db;
    CHECK(sqlite3_open(path, &db) == SQLITE_OK);
    char *err = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &err) != SQLITE_OK) print_error("%s\n", err);
    CHECK(err == NULL);
    sqlite3_close(db);
}

static void a_copy_of_a_live_store_opens(void **state) {
    (void)state;
    start("live");
    fill(200);
    struct answer a;
    submit(&f, one_op(OP_META_SET, VALS(V_TEXT("late"), V_TEXT("x"))), LANE_NEW, &a);
    CHECK_OK(store_backup(f.store, copy, &why)); /* while the writer works */
    f.pump(&f, &a.done);
    CHECK_OK(a.err);
    CHECK_OK(store_backup(f.store, copy, &why)); /* over an older one */
    end();
    /* restored: in the place of the file, without -wal and -shm */
    char restored[400], to[500];
    snprintf(restored, sizeof restored, "%s-restored", dir);
    mkdir(restored, 0700);
    snprintf(to, sizeof to, "%s/luwak.db", restored);
    CHECK(rename(copy, to) == 0);
    CHECK_OK(loop_uv_new(&f.loop, &clock_));
    struct store_options o = {.path = restored, .clock = &clock_};
    CHECK_OK(store_open(&f.store, &o, &why));
    CHECK_OK(store_migrate(f.store, NULL, &why));
    CHECK_INT(count_rows(&f, "operation"), 200);
    CHECK_OK(store_verify(f.store, NULL));
    fill(0);
    end();
}

static void a_failed_backup_leaves_nothing(void **state) {
    (void)state;
    start("failed");
    CHECK_OK(store_backup(f.store, copy, &why));
    struct stat before, after;
    CHECK(stat(copy, &before) == 0);
    fault_set("store.backup=fail");
    CHECK_ERR(store_backup(f.store, copy, &why), E_IO);
    fault_set("");
    CHECK(stat(copy, &after) == 0);
    CHECK(before.st_ino == after.st_ino); /* the old one stands */
    char part[400];
    snprintf(part, sizeof part, "%s.part-%ld", copy, (long)getpid());
    CHECK(access(part, F_OK) != 0);
    CHECK(store_backup(f.store, "/nonexistent/x.db", &why) != 0);
    CHECK(strstr(why.text, "/nonexistent") != NULL);
    end();
}

static void end_care(void *data, bool good, const char *text) {
    (void)text;
    CHECK(good);
    *(int *)data += 1;
    store_end_care(f.store);
}

/* A stop does not wait for them: they end, say so, and leave nothing. */
static void care_ends_with_the_store(void **state) {
    (void)state;
    start("ends");
    fill(20);
    int told = 0;
    const struct store_report report = {end_care, &told};
    CHECK_ERR(store_verify(f.store, &report), E_CLOSED);
    CHECK_INT(told, 1); /* what was cut short is not told as damage */
    CHECK_ERR(store_backup(f.store, copy, &why), E_CLOSED);
    CHECK(access(copy, F_OK) != 0);
    char part[400];
    snprintf(part, sizeof part, "%s.part-%ld", copy, (long)getpid());
    CHECK(access(part, F_OK) != 0);
    struct answer a; /* the others go on */
    submit(&f, one_op(OP_META_SET, VALS(V_TEXT("late"), V_TEXT("x"))), LANE_NEW, &a);
    f.pump(&f, &a.done);
    CHECK_OK(a.err);
    end();
}

struct finds {
    int bad;
    char first[300];
};
static void found(void *data, bool good, const char *text) {
    struct finds *x = data;
    if (good) return;
    if (x->bad++ == 0) snprintf(x->first, sizeof x->first, "%s", text);
}

static void each_invariant_finds_its_damage(void **state) {
    (void)state;
    static const struct {
        const char *name, *sql, *says;
    } DAMAGE[] = {
        {"gap", "DROP TRIGGER event_kept; DELETE FROM event WHERE sequence = 2", "gapless"},
        {"tail", "DROP TRIGGER event_kept; DELETE FROM event WHERE sequence = 5", "gapless"},
        {"head", "UPDATE topic SET last = 9", "gapless"},
        {"orphan", "PRAGMA foreign_keys = 0; INSERT INTO event VALUES (77, 1, 't', 'o', x'', 1)",
         "foreign keys"},
        {"run",
         "PRAGMA ignore_check_constraints = 1; INSERT INTO job (id, name, args, state, due_at,"
         " priority, once, run, created, updated) VALUES ('j', 'n', x'', 'waiting', 1, 0, 0, 5, 1,"
         " 1)",
         ""},
        {"key",
         "DROP INDEX job_unique; INSERT INTO job (id, name, args, state, due_at, priority, once,"
         " unique_key, created, updated) VALUES ('j', 'n', x'', 'waiting', 1, 0, 0, 'k', 1, 1),"
         " ('i', 'n', x'', 'waiting', 1, 0, 0, 'k', 1, 1)",
         "unique key"},
        {"reference",
         "DROP INDEX operation_reference; DROP TRIGGER operation_stays; DROP TRIGGER"
         " operation_counts; UPDATE operation SET reference = 'same'",
         "reference"},
        {"script",
         "INSERT INTO script_version (path, version, state, parts, at) VALUES ('p', 'v', 'live',"
         " '[{\"hash\":\"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"}]', 1)",
         "text of each part"},
        {"migration", "INSERT INTO migration VALUES (3, 'x', x'', 1)", "migrations"},
    };
    for (size_t i = 0; i < sizeof DAMAGE / sizeof DAMAGE[0]; i++) {
        start(DAMAGE[i].name);
        fill(5);
        CHECK_OK(store_verify(f.store, NULL));
        end();
        sql_at(file, DAMAGE[i].sql);
        CHECK_OK(loop_uv_new(&f.loop, &clock_));
        struct store_options o = {.path = dir, .clock = &clock_, .unchecked = true};
        CHECK_OK(store_open(&f.store, &o, &why));
        struct finds finds = {0};
        const struct store_report report = {found, &finds};
        CHECK_ERR(store_verify(f.store, &report), E_CORRUPT);
        if (strstr(finds.first, DAMAGE[i].says) == NULL) print_error("said: %s\n", finds.first);
        CHECK(strstr(finds.first, DAMAGE[i].says) != NULL);
        CHECK_ERR(store_backup(f.store, copy, &why), E_CORRUPT); /* no bad copy over a good one */
        CHECK(access(copy, F_OK) != 0);
        end();
    }
}

static void overwrite(off_t at, size_t n) {
    char rubbish[4096];
    memset(rubbish, 0xa5, sizeof rubbish);
    int fd = open(file, O_RDWR);
    CHECK(fd >= 0);
    CHECK(pwrite(fd, rubbish, n, at) == (ssize_t)n);
    close(fd);
}

static void a_damaged_file_is_not_served(void **state) {
    (void)state;
    for (int page = 0; page < 3; page++) {
        char name[20];
        snprintf(name, sizeof name, "damaged%d", page);
        start(name);
        fill(300);
        end();
        struct stat st;
        CHECK(stat(file, &st) == 0);
        CHECK(st.st_size > 40 * 4096);
        overwrite(page == 0   ? 0
                  : page == 1 ? st.st_size - 4096 * 3
                              : st.st_size / 2 / 4096 * 4096,
                  page == 0 ? 16 : 4096);
        struct store_options o = {.path = dir, .clock = &clock_};
        memset(&why, 0, sizeof why);
        CHECK_ERR(store_open(&f.store, &o, &why), E_CORRUPT);
        CHECK(strstr(why.text, "restore a backup") != NULL);
        if (page == 0) { /* with its head gone there is nothing to open, for verify neither */
            CHECK(strstr(why.text, "luwak.db cannot be opened") != NULL);
            continue;
        }
        CHECK(strstr(why.text, "luwak.db is damaged") != NULL);
        CHECK(strstr(why.text, "luwak verify") != NULL);
        CHECK_OK(loop_uv_new(&f.loop, &clock_));
        o.unchecked = true;
        CHECK_OK(store_open(&f.store, &o, &why));
        struct finds finds = {0};
        const struct store_report report = {found, &finds};
        CHECK_ERR(store_verify(f.store, &report), E_CORRUPT);
        CHECK(finds.bad > 0);
        end();
    }
}

static void rows_that_never_change(void **state) {
    (void)state;
    start("never");
    fill(3);
    end();
    static const char *const BAD[] = {
        "UPDATE event SET type = 'x' WHERE sequence = 1",
        "DELETE FROM event WHERE sequence = 1",
        "REPLACE INTO event SELECT topic, sequence, 'x', object, doc, at FROM event",
        "DELETE FROM topic",
        "UPDATE topic SET last = 1",
        "DELETE FROM operation",
        "UPDATE operation SET reference = 'x', generation = generation + 1",
        "UPDATE operation SET doc = x''",
        "UPDATE operation SET status = 'paid', generation = generation + 1",
        "INSERT INTO counter VALUES ('a', 1.5, 1)",
    };
    sqlite3 *db;
    CHECK(sqlite3_open(file, &db) == SQLITE_OK);
    sqlite3_exec(db, "PRAGMA recursive_triggers = 1", NULL, NULL, NULL);
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        int rc = sqlite3_exec(db, BAD[i], NULL, NULL, NULL);
        if (rc != SQLITE_CONSTRAINT) print_error("%s: %d\n", BAD[i], rc);
        CHECK_INT(rc, SQLITE_CONSTRAINT);
    }
    sqlite3_close(db);
}

static const struct CMUnitTest TESTS[] = {
    cmocka_unit_test(a_copy_of_a_live_store_opens),
    cmocka_unit_test(care_ends_with_the_store),
    cmocka_unit_test(a_failed_backup_leaves_nothing),
    cmocka_unit_test(each_invariant_finds_its_damage),
    cmocka_unit_test(a_damaged_file_is_not_served),
    cmocka_unit_test(rows_that_never_change),
};
UNIT_MAIN("store_backup", TESTS)
