/* Migrations: the engine's own schema steps (sqlite_schema.c, counted by user_version), then the
 * numbered files of scripts/migrations: NNNN_name.sql or .lua, in order, each once, each in one
 * transaction of its own, its text kept, so that a text changed after it ran is refused.
 *
 * Nothing of a step stays when it fails. The writer's connection is held meanwhile; with a server
 * running the command never gets here (the lock, and the control socket refuses it). */
#include "base/ensure.h"
#include "base/fault.h"
#include "base/mem.h"
#include "store/sqlite_private.h"
#include "sys/file_read.h"
#include "sys/log.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define MIGRATIONS_MAX     9999
#define MIGRATION_TEXT_MAX (4 * 1024 * 1024)
#define MIGRATION_NAME_MAX 128

struct store_migration {
    struct conn *conn;
};

static store_migration_run lua_run;
static void *lua_data;

void store_migration_hook(store_migration_run run, void *data) {
    lua_run = run;
    lua_data = data;
}

/* A step runs inside our transaction: it may not end it, nor change what open_db set. */
static int step_only(void *data, int action, const char *a, const char *b, const char *c,
                     const char *d) {
    (void)data, (void)b, (void)c, (void)d;
    switch (action) {
    case SQLITE_TRANSACTION:
    case SQLITE_SAVEPOINT:
    case SQLITE_ATTACH:
    case SQLITE_DETACH:
    case SQLITE_PRAGMA: return SQLITE_DENY;
    case SQLITE_INSERT:
    case SQLITE_UPDATE:
    case SQLITE_DELETE: return a != NULL && strcmp(a, "migration") == 0 ? SQLITE_DENY : SQLITE_OK;
    default: return SQLITE_OK;
    }
}

int store_migration_exec(struct store_migration *db, const char *sql, struct why *why) {
    sqlite3_set_authorizer(db->conn->db, step_only, NULL);
    int rc = sqlite_exec(db->conn->db, sql);
    int err = 0;
    if (rc == SQLITE_AUTH)
        err = why_set(why, E_DENIED,
                      "a migration may not use transactions, PRAGMA, ATTACH or the table "
                      "migration: it runs in a transaction already");
    else if (rc != SQLITE_OK)
        err = why_set(why, sqlite_err(rc), "%s", sqlite3_errmsg(db->conn->db));
    sqlite3_set_authorizer(db->conn->db, NULL, NULL);
    return err;
}

int store_migration_select(struct store_migration *db, const char *sql, const struct val *values,
                           size_t count, struct rows **out, struct why *why) {
    struct read read = {.sql = (char *)sql, .values = (struct val *)values, .count = count};
    conn_read(db->conn, &read);
    if (read.err != 0) return why_set(why, read.err, "%s", read.why.text);
    *out = read.rows;
    return 0;
}

/* ---- one transaction ---- */

static int begin(struct conn *conn, struct why *why) {
    int rc = sqlite_exec(conn->db, "BEGIN IMMEDIATE");
    return rc == 0 ? 0 : why_set(why, sqlite_err(rc), "%s", sqlite3_errmsg(conn->db));
}

static int end(struct conn *conn, int err, struct why *why) {
    int64_t row = 0;
    if (err == 0 && sqlite3_get_autocommit(conn->db) != 0)
        err = why_set(why, E_INTERNAL, "the transaction was lost");
    int rc = err != 0
                 ? SQLITE_NOTFOUND
                 : sqlite_int(conn->db, "SELECT 1 FROM pragma_foreign_key_check LIMIT 1", &row);
    if (rc == SQLITE_OK)
        err = why_set(why, E_GUARD, "rows are left that point to nothing (foreign key)");
    else if (rc != SQLITE_NOTFOUND)
        err = why_set(why, sqlite_err(rc), "%s", sqlite3_errstr(rc));
    if (err == 0 && FAULT("store.migrate")) err = why_set(why, E_IO, "fault point");
    if (err == 0) {
        rc = sqlite_exec(conn->db, "COMMIT");
        if (rc != SQLITE_OK) err = why_set(why, sqlite_err(rc), "%s", sqlite3_errmsg(conn->db));
    }
    if (sqlite3_get_autocommit(conn->db) == 0) sqlite_exec(conn->db, "ROLLBACK");
    return err;
}

static int own_step(struct conn *conn, int at, struct why *why) {
    char sql[96];
    int err = begin(conn, why);
    if (err != 0) return err;
    int rc = sqlite_exec(conn->db, SCHEMA_STEPS[at]);
    snprintf(sql, sizeof sql, "PRAGMA user_version = %d; PRAGMA application_id = %d", at + 1,
             SCHEMA_APPLICATION_ID);
    if (rc == SQLITE_OK) rc = sqlite_exec(conn->db, sql);
    if (rc != SQLITE_OK) err = why_set(why, sqlite_err(rc), "%s", sqlite3_errmsg(conn->db));
    err = end(conn, err, why);
    if (err != 0) why_prefix(why, "schema step %d: ", at + 1);
    return err;
}

/* ---- the folder ---- */

struct file {
    int number;
    bool lua;
    char name[MIGRATION_NAME_MAX];
};

/* 0007_terminals.sql. False: no migration's name. */
static bool name_read(const char *text, struct file *file) {
    struct str s = str_of(text), tail;
    file->lua = str_ends(s, STR(".lua"));
    if ((!file->lua && !str_ends(s, STR(".sql"))) || s.n < 10 || s.n >= sizeof file->name)
        return false;
    file->number = 0;
    for (int i = 0; i < 4; i++) {
        if (text[i] < '0' || text[i] > '9') return false;
        file->number = file->number * 10 + text[i] - '0';
    }
    tail = str_sub(s, 4, s.n - 4);
    memcpy(file->name, text, s.n + 1);
    return tail.p[0] == '_' && tail.n > 1 && file->number > 0;
}

static int by_number(const void *a, const void *b) {
    const struct file *x = a, *y = b;
    return x->number != y->number ? (x->number > y->number) - (x->number < y->number)
                                  : strcmp(x->name, y->name);
}

static int list_folder(const char *folder, struct file **out, size_t *count, struct why *why) {
    struct buf files = {0};
    *out = NULL;
    *count = 0;
    DIR *dir = opendir(folder);
    if (dir == NULL && errno == ENOENT) return 0;
    if (dir == NULL) return why_set(why, E_IO, "%s: %s", folder, strerror(errno));
    int err = 0;
    for (struct dirent *e; err == 0 && (e = readdir(dir)) != NULL;) {
        struct file file = {0};
        if (e->d_name[0] == '.') continue;
        if (name_read(e->d_name, &file))
            buf_add(&files, &file, sizeof file);
        else if (str_ends(str_of(e->d_name), STR(".sql")) ||
                 str_ends(str_of(e->d_name), STR(".lua")))
            err = why_set(why, E_CONFIG, "%s/%s: a migration is named NNNN_name.sql or .lua",
                          folder, e->d_name);
    }
    closedir(dir);
    if (err == 0 && files.err != 0) err = why_set(why, E_NOMEM, "%s: out of memory", folder);
    *count = files.len / sizeof(struct file);
    *out = (struct file *)(void *)files.data;
    if (*count != 0) qsort(*out, *count, sizeof **out, by_number);
    for (size_t i = 0; i < *count && err == 0; i++) {
        if (i > 0 && (*out)[i].number == (*out)[i - 1].number)
            err = why_set(why, E_CONFIG, "%s: %s and %s have the same number", folder,
                          (*out)[i - 1].name, (*out)[i].name);
        else if ((*out)[i].number != (int)i + 1)
            err = why_set(why, E_CONFIG, "%s: %s comes where number %04d is missing", folder,
                          (*out)[i].name, (int)i + 1);
    }
    if (err == 0) return 0;
    buf_free(&files);
    *out = NULL;
    *count = 0;
    return err;
}

static int text_read(const char *path, struct buf *out, struct why *why) {
    out->max = MIGRATION_TEXT_MAX;
    int err = file_read(path, out, why);
    if (err == 0 && !wire_text_good(buf_str(out))) err = why_set(why, E_SYNTAX, "is no UTF-8 text");
    return err;
}

static int note(struct conn *conn, const struct file *file, struct str text, struct why *why) {
    sqlite3_stmt *stmt = NULL;
    const struct val values[] = {V_INT(file->number), V_TEXT(file->name), V_BLOB(text),
                                 V_INT(clock_now_ms(conn->clock))};
    int rc = sqlite3_prepare_v2(conn->db, "INSERT INTO migration VALUES (?1, ?2, ?3, ?4)", -1,
                                &stmt, NULL);
    for (int i = 0; i < 4 && rc == SQLITE_OK; i++)
        rc = sqlite_bind(stmt, i + 1, &values[i]);
    if (rc == SQLITE_OK) rc = sqlite3_step(stmt);
    sqlite3_finalize(stmt);
    return rc == SQLITE_DONE ? 0 : why_set(why, sqlite_err(rc), "%s", sqlite3_errmsg(conn->db));
}

static int run_file(struct conn *conn, const struct file *file, const char *path, struct str text,
                    struct why *why) {
    struct store_migration step = {conn};
    int err = begin(conn, why);
    if (err != 0) return err;
    if (!file->lua)
        err = store_migration_exec(&step, text.p, why);
    else if (lua_run == NULL)
        err = why_set(why, E_STATE, "Lua migrations cannot be run here");
    else
        err = lua_run(lua_data, path, text, &step, why);
    if (err == 0) err = note(conn, file, text, why);
    return end(conn, err, why);
}

/* What was applied must still be there, word for word. */
static int compare(struct conn *conn, const struct file *file, struct str text, bool *applied,
                   struct why *why) {
    struct rows *rows = NULL;
    struct store_migration db = {conn};
    int err = store_migration_select(&db, "SELECT name, text FROM migration WHERE number = ?1",
                                     VALS(V_INT(file->number)), &rows, why);
    if (err != 0) return err;
    *applied = rows_count(rows) == 1;
    if (*applied && !str_eq(rows_text(rows, 0, 0), str_of(file->name)))
        err = why_set(why, E_STATE,
                      "was applied under the name %.*s: give it that name back, and put what is "
                      "new into a new file",
                      STR_FMT(rows_text(rows, 0, 0)));
    else if (*applied && !str_eq(rows_text(rows, 0, 1), text))
        err = why_set(why, E_STATE,
                      "was changed after it was applied: put the old text back, and what is new "
                      "into a new file");
    rows_free(rows);
    return err;
}

static int run_folder(struct conn *conn, const char *folder, struct why *why) {
    struct file *files;
    size_t count;
    int64_t last = 0;
    int err = list_folder(folder, &files, &count, why);
    int rc = err != 0
                 ? SQLITE_OK
                 : sqlite_int(conn->db, "SELECT coalesce(max(number), 0) FROM migration", &last);
    if (rc != SQLITE_OK) err = why_set(why, sqlite_err(rc), "%s", sqlite3_errstr(rc));
    if (err == 0 && (size_t)last > count)
        err = why_set(why, E_STATE, "%s: migration %04d was applied, but its file is not there",
                      folder, (int)last);
    for (size_t i = 0; i < count && err == 0; i++) {
        struct buf path = {0}, text = {0};
        bool applied = false;
        buf_addf(&path, "%s/%s", folder, files[i].name);
        err = path.err != 0 ? why_set(why, E_NOMEM, "out of memory")
                            : text_read(path.data, &text, why);
        if (err == 0) err = compare(conn, &files[i], buf_str(&text), &applied, why);
        if (err == 0 && !applied) {
            err = run_file(conn, &files[i], path.data, buf_str(&text), why);
            if (err == 0) log_info("migrated", L_TEXT("file", files[i].name));
        }
        if (err != 0) why_prefix(why, "%s/%s: ", folder, files[i].name);
        buf_free(&path);
        buf_free(&text);
    }
    mem_free(files);
    return err;
}

int sqlite_migrate(struct store *store, const char *folder, struct why *why) {
    struct sqlite_store *s = sqlite_of(store);
    struct conn *conn = &s->writer.conn;
    pthread_mutex_lock(&s->writer.db_lock);
    int64_t version = 0;
    int rc = sqlite_int(conn->db, "PRAGMA user_version", &version);
    int err = rc == SQLITE_OK ? 0 : why_set(why, sqlite_err(rc), "%s", sqlite3_errmsg(conn->db));
    for (; err == 0 && version < SCHEMA_STEP_COUNT; version++)
        err = own_step(conn, (int)version, why);
    if (err == 0 && folder != NULL) err = run_folder(conn, folder, why);
    pthread_mutex_unlock(&s->writer.db_lock);
    return err;
}
