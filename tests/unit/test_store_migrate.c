/* Migrations: numbered, in order, each once, each whole or not at all, none changed afterwards. */
#include "base/fault.h"
#include "base/mem.h"
#include "store/sqlite_private.h"
#include "store_conformance.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static struct clock clock_;
static struct store_fixture f;
static char dir[300], folder[320];
static struct why why;

static void start(const char *name) {
    clock_virtual(&clock_, 1000);
    snprintf(dir, sizeof dir, "%s/%s", unit_tmpdir(), name);
    snprintf(folder, sizeof folder, "%s/migrations", dir);
    mkdir(dir, 0700);
    mkdir(folder, 0700);
    memset(&f, 0, sizeof f);
    memset(&why, 0, sizeof why);
    f.pump = pump_sim;
    CHECK_OK(loop_sim_new(&f.loop, &clock_, NULL));
    struct store_options o = {.path = dir, .clock = &clock_, .inline_on = f.loop};
    CHECK_OK(store_open(&f.store, &o, &why));
}

static void end(void) {
    store_close(f.store);
    loop_delete(f.loop);
}

static void file_put(const char *name, const char *text) {
    char path[500];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *out = fopen(path, "w");
    CHECK(out != NULL);
    fputs(text, out);
    fclose(out);
}

static void file_drop(const char *name) {
    char path[500];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    CHECK(unlink(path) == 0);
}

#define MIGRATE_FAILS(e, part)                                                   \
    do {                                                                         \
        memset(&why, 0, sizeof why);                                             \
        CHECK_ERR(store_migrate(f.store, folder, &why), e);                      \
        if (strstr(why.text, part) == NULL) print_error("said: %s\n", why.text); \
        CHECK(strstr(why.text, part) != NULL);                                   \
    } while (0)

static void each_once_in_order(void **state) {
    (void)state;
    start("order");
    file_put("0002_b.sql", "INSERT INTO x VALUES (2); CREATE TABLE y (a TEXT) STRICT;");
    file_put("0001_a.sql", "CREATE TABLE x (a INTEGER) STRICT; INSERT INTO x VALUES (1);");
    file_put("README", "not a migration");
    CHECK_OK(store_migrate(f.store, folder, &why));
    CHECK_OK(store_migrate(f.store, folder, &why));
    CHECK_INT(count_rows(&f, "x"), 2);
    CHECK_INT(count_rows(&f, "migration"), 2);
    file_put("0003_c.sql", "INSERT INTO x VALUES (3);");
    CHECK_OK(store_migrate(f.store, folder, &why));
    CHECK_INT(count_rows(&f, "x"), 3);
    file_put("0001_a.sql", "CREATE TABLE x (a INTEGER) STRICT;");
    MIGRATE_FAILS(E_STATE, "0001_a.sql: was changed after it was applied");
    file_drop("0001_a.sql");
    MIGRATE_FAILS(E_CONFIG, "number 0001 is missing");
    file_put("0001_other.sql", "CREATE TABLE x (a INTEGER) STRICT; INSERT INTO x VALUES (1);");
    MIGRATE_FAILS(E_STATE, "under the name 0001_a.sql");
    end();
}

static void names_and_numbers_are_checked(void **state) {
    (void)state;
    start("names");
    file_put("0001_a.sql", "CREATE TABLE a (a INTEGER) STRICT;");
    file_put("0001_b.sql", "");
    MIGRATE_FAILS(E_CONFIG, "the same number");
    file_drop("0001_b.sql");
    file_put("0003_c.sql", "");
    MIGRATE_FAILS(E_CONFIG, "0002");
    file_drop("0003_c.sql");
    file_put("2_b.sql", "");
    MIGRATE_FAILS(E_CONFIG, "NNNN_name");
    file_drop("2_b.sql");
    CHECK_OK(store_migrate(f.store, folder, &why));
    file_drop("0001_a.sql");
    MIGRATE_FAILS(E_STATE, "0001 was applied");
    CHECK_ERR(store_migrate(f.store, "/nonexistent", NULL), E_STATE);
    CHECK_OK(store_migrate(f.store, NULL, &why)); /* own steps only */
    end();
}

static void all_or_nothing(void **state) {
    (void)state;
    start("whole");
    file_put("0001_a.sql", "CREATE TABLE a (a INTEGER) STRICT; INSERT INTO nosuch VALUES (1);");
    MIGRATE_FAILS(E_INVAL, "0001_a.sql: no such table");
    struct rows *rows;
    CHECK(run_select(&f, "SELECT * FROM a", NULL, 0, &rows, NULL) != 0);
    static const char *const BAD[] = {"CREATE TABLE a (a INTEGER); COMMIT;",
                                      "BEGIN;",
                                      "SAVEPOINT x;",
                                      "PRAGMA foreign_keys = 0;",
                                      "ATTACH ':memory:' AS x;",
                                      "DELETE FROM migration;"};
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        file_put("0001_a.sql", BAD[i]);
        MIGRATE_FAILS(E_DENIED, "0001_a.sql");
    }
    file_put("0001_a.sql", "CREATE TABLE p (i INTEGER PRIMARY KEY) STRICT; CREATE TABLE c"
                           " (p INTEGER REFERENCES p (i)) STRICT;");
    fault_set("store.migrate=fail");
    MIGRATE_FAILS(E_IO, "0001_a.sql");
    fault_set("");
    CHECK(run_select(&f, "SELECT * FROM p", NULL, 0, &rows, NULL) != 0);
    CHECK_OK(store_migrate(f.store, folder, &why));
    file_put("0002_b.sql", "INSERT INTO event VALUES (1, 1, 't', 'o', x'', 1);");
    MIGRATE_FAILS(E_INVAL, "FOREIGN KEY");
    end();
}

static int lua_ran;
static int run_lua(void *data, const char *path, struct str text, struct store_migration *db,
                   struct why *w) {
    (void)data;
    lua_ran++;
    CHECK(strstr(path, "0001_l.lua") != NULL);
    CHECK_STR(text, "return {}");
    int err = store_migration_exec(db, "CREATE TABLE l (a INTEGER) STRICT", w);
    if (err == 0) err = store_migration_exec(db, "INSERT INTO l VALUES (7)", w);
    struct rows *rows = NULL;
    if (err == 0) err = store_migration_select(db, "SELECT a FROM l", NULL, 0, &rows, w);
    if (err == 0) CHECK_INT(rows_int(rows, 0, 0), 7);
    rows_free(rows);
    return err;
}

static void lua_steps_have_a_hook(void **state) {
    (void)state;
    start("lua");
    file_put("0001_l.lua", "return {}");
    MIGRATE_FAILS(E_STATE, "Lua migrations cannot be run here");
    store_migration_hook(run_lua, NULL);
    CHECK_OK(store_migrate(f.store, folder, &why));
    CHECK_OK(store_migrate(f.store, folder, &why));
    store_migration_hook(NULL, NULL);
    CHECK_INT(lua_ran, 1);
    CHECK_INT(count_rows(&f, "l"), 1);
    end();
}

static void a_newer_file_is_refused(void **state) {
    (void)state;
    start("newer");
    CHECK_OK(store_migrate(f.store, NULL, &why));
    end();
    char command[500];
    snprintf(command, sizeof command,
             "sqlite3 %s/luwak.db 'PRAGMA user_version = 9999' > /dev/null 2>&1", dir);
    if (system(command) != 0) skip();
    struct store *store;
    struct store_options o = {.path = dir, .clock = &clock_};
    CHECK_ERR(store_open(&store, &o, &why), E_VERSION);
    CHECK(strstr(why.text, "newer") != NULL);
}

/* What a version wrote whose events and answers were tables WITHOUT ROWID. */
static void old_put(int steps, const char *rows) {
    char path[400], sql[100];
    sqlite3 *db;
    snprintf(path, sizeof path, "%s/luwak.db", dir);
    CHECK(sqlite3_open(path, &db) == SQLITE_OK);
    for (int i = 0; i < steps; i++)
        CHECK(sqlite_exec(db, SCHEMA_STEPS[i]) == SQLITE_OK);
    snprintf(sql, sizeof sql, "PRAGMA user_version = %d; PRAGMA application_id = %d", steps,
             SCHEMA_APPLICATION_ID);
    CHECK(sqlite_exec(db, sql) == SQLITE_OK);
    CHECK(sqlite_exec(db, rows) == SQLITE_OK);
    sqlite3_close(db);
}

static bool refused(const char *sql) {
    char path[400];
    sqlite3 *db;
    snprintf(path, sizeof path, "%s/luwak.db", dir);
    CHECK(sqlite3_open(path, &db) == SQLITE_OK);
    int rc = sqlite_exec(db, sql);
    sqlite3_close(db);
    return (rc & 0xff) == SQLITE_CONSTRAINT;
}

static void events_and_answers_move_whole(void **state) {
    (void)state;
    clock_virtual(&clock_, 1000);
    snprintf(dir, sizeof dir, "%s/old", unit_tmpdir());
    mkdir(dir, 0700);
    old_put(
        3,
        "INSERT INTO topic VALUES (1, 'm', 4);"
        "INSERT INTO event_floor VALUES (1, 3);"
        "INSERT INTO event VALUES (1, 3, 't', 'o', x'7b7d', 5), (1, 4, 't', 'p', x'', 6);"
        "INSERT INTO idempotency VALUES ('m', 'POST /', 'k', zeroblob(32), 'o', 201, x'7b7d', 5),"
        " ('m', 'POST /', 'l', zeroblob(32), NULL, NULL, NULL, 6);");
    start("old");
    CHECK_OK(store_migrate(f.store, NULL, &why));
    struct rows *rows;
    CHECK_OK(run_query(&f, "events_after", VALS(V_TEXT("m"), V_INT(0), V_INT(10)), &rows));
    CHECK_INT(rows_count(rows), 2);
    CHECK_INT(rows_int(rows, 0, 0), 3);
    CHECK_STR(rows_text(rows, 1, 2), "p");
    rows_free(rows);
    CHECK_OK(
        run_query(&f, "idempotency_get", VALS(V_TEXT("m"), V_TEXT("POST /"), V_TEXT("k")), &rows));
    CHECK_STR(rows_text(rows, 0, 3), "{}");
    rows_free(rows);
    CHECK_INT(count_rows(&f, "idempotency"), 2);
    end();
    CHECK(refused("UPDATE event SET type = 'u'"));
    CHECK(refused("DELETE FROM event WHERE sequence = 3"));
    CHECK(refused("INSERT INTO event VALUES (1, 4, 't', 'o', x'', 1)"));
    CHECK(refused("UPDATE idempotency SET answer = x'31' WHERE key = 'k'"));
    CHECK(refused("UPDATE idempotency SET hash = randomblob(32) WHERE key = 'l'"));
    CHECK(refused("INSERT INTO idempotency SELECT * FROM idempotency"));
}

static void check_slot(const char *pool, const char *holder, int64_t slot) {
    struct rows *rows;
    CHECK_OK(run_query(&f, "slot_of", VALS(V_TEXT(pool), V_TEXT(holder)), &rows));
    CHECK_INT(rows_count(rows), slot != 0);
    if (slot != 0) CHECK_INT(rows_int(rows, 0, 0), slot);
    rows_free(rows);
}

/* Numbers that are out when the engine is updated: each is found by the account and reference it is for. */
static void numbers_keep_their_holders(void **state) {
    (void)state;
    clock_virtual(&clock_, 1000);
    snprintf(dir, sizeof dir, "%s/numbers", unit_tmpdir());
    mkdir(dir, 0700);
    old_put(12,
            "INSERT INTO slot VALUES ('doku:va bca', 7, 'r1', 99), ('doku:va bni', 8, 'r2', 99),"
            " ('doku:va bni', 9, 'gone', 99), ('self:va', 9, 'r1', 99);"
            "INSERT INTO operation (id, kind, script, version, account, reference, status, doc,"
            " created, updated) VALUES"
            " ('o1', 'create', 's', 'v', 'doku', 'r1', 'pending', x'7b7d', 1, 1),"
            " ('o2', 'create', 's', 'v', 'doku/mer_2', 'r2', 'unknown', x'7b7d', 1, 1),"
            " ('o3', 'create', 's', 'v', 'self', 'r1', 'pending', x'7b7d', 1, 1);"
            "INSERT INTO kv VALUES ('doku', 'doku:va r1', x'31', 1), ('doku', 'doku:va r2', x'31',"
            " 1), ('doku', 'doku:token age', x'31', 1), ('doku', 'sandbox/doku:va r1', x'31', 1);");
    start("numbers");
    CHECK_OK(store_migrate(f.store, NULL, &why));
    check_slot("doku:va bca", "doku r1", 7);
    check_slot("doku:va bni", "doku/mer_2 r2", 8);
    check_slot("doku:va bni", "gone", 9);
    check_slot("self:va", "r1", 9);
    check_slot("doku:va bca", "doku r2", 0);
    CHECK_INT(count_rows(&f, "kv"), 2);
    end();
}

static const struct CMUnitTest TESTS[] = {
    cmocka_unit_test(each_once_in_order),
    cmocka_unit_test(names_and_numbers_are_checked),
    cmocka_unit_test(all_or_nothing),
    cmocka_unit_test(lua_steps_have_a_hook),
    cmocka_unit_test(a_newer_file_is_refused),
    cmocka_unit_test(events_and_answers_move_whole),
    cmocka_unit_test(numbers_keep_their_holders),
};
UNIT_MAIN("store_migrate", TESTS)
