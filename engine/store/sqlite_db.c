/* Connections: one function opens them all, sets what must be set for the role and reads it back.
 * What is not as wanted refuses the connection: a pragma that SQLite ignored in silence is how
 * acknowledged writes get lost.
 *
 * SQLite 3.7.0-3.51.2 can damage a file when two connections checkpoint and write at once, so only
 * DB_WRITER (or DB_SOLE) does either; readers neither write, nor checkpoint, not even on close. */
#include "base/ensure.h"
#include "base/mem.h"
#include "store/sqlite_private.h"
#include "store/vfs_fd.h"
#include "store/vfs_gather.h"

#include <malloc.h>
#include <stdio.h>

/* ---- memory: base/mem.h; the size SQLite asks for is what malloc knows ---- */

static _Thread_local unsigned refused;

unsigned sqlite_memory_refused(void) {
    return refused;
}

static void *lite_malloc(int size) {
    void *p = size <= 0 ? NULL : mem_alloc((size_t)size);
    if (p == NULL) refused++;
    return p;
}
static int lite_size(void *p) {
    return p == NULL ? 0 : (int)malloc_usable_size(p);
}
static void *lite_realloc(void *p, int size) {
    void *now = mem_realloc(p, (size_t)size);
    if (now == NULL) refused++;
    return now;
}
static int lite_roundup(int size) {
    return (size + 7) & ~7;
}
static int lite_init(void *data) {
    (void)data;
    return SQLITE_OK;
}
static void lite_shutdown(void *data) {
    (void)data;
}

static pthread_once_t setup_once = PTHREAD_ONCE_INIT;

static void setup(void) {
    static const sqlite3_mem_methods METHODS = {.xMalloc = lite_malloc,
                                                .xFree = mem_free,
                                                .xRealloc = lite_realloc,
                                                .xSize = lite_size,
                                                .xRoundup = lite_roundup,
                                                .xInit = lite_init,
                                                .xShutdown = lite_shutdown};
    sqlite3_config(SQLITE_CONFIG_MALLOC, &METHODS); /* refused if somebody was first: then not */
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    sqlite_pcache_set();
    sqlite3_config(SQLITE_CONFIG_MULTITHREAD); /* a connection is used by one thread at a time */
    sqlite3_initialize();
    static sqlite3_vfs vfs;
    vfs_gather_register(&vfs, "luwak", sqlite3_vfs_find(NULL), true);
    vfs_fd_register();
}

void store_setup(void) {
    pthread_once(&setup_once, setup);
}

/* ---- small helpers ---- */

int sqlite_err(int rc) {
    switch (rc & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE: return 0;
    case SQLITE_NOMEM: return E_NOMEM;
    case SQLITE_FULL: return E_FULL;
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return E_BUSY;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return E_CORRUPT;
    case SQLITE_INTERRUPT: return E_TIMEOUT;
    case SQLITE_TOOBIG: return E_LIMIT;
    case SQLITE_AUTH:
    case SQLITE_PERM:
    case SQLITE_READONLY: return E_DENIED;
    case SQLITE_CONSTRAINT:
        if (rc == SQLITE_CONSTRAINT_UNIQUE || rc == SQLITE_CONSTRAINT_PRIMARYKEY ||
            rc == SQLITE_CONSTRAINT_ROWID)
            return E_EXISTS;
        return rc == SQLITE_CONSTRAINT_TRIGGER ? E_STATE : E_INVAL;
    case SQLITE_IOERR:
        if (rc == SQLITE_IOERR_NOMEM) return E_NOMEM;
        /* the WAL's index (shared memory, rebuilt at need) could not grow: no data is at risk */
        return rc == SQLITE_IOERR_SHMSIZE ? E_FULL : E_IO;
    case SQLITE_CANTOPEN: return E_IO;
    case SQLITE_ERROR:
    case SQLITE_RANGE:
    case SQLITE_MISMATCH: return E_INVAL;
    default: return E_INTERNAL;
    }
}

bool sqlite_is_fatal(int rc) {
    int err = sqlite_err(rc);
    return err == E_IO || err == E_CORRUPT;
}

int sqlite_exec(sqlite3 *db, const char *sql) {
    return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

int sqlite_int(sqlite3 *db, const char *sql, int64_t *out) {
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);
    if (rc == SQLITE_OK) rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) *out = sqlite3_column_int64(stmt, 0);
    int end = sqlite3_finalize(stmt);
    return rc == SQLITE_ROW ? SQLITE_OK : rc == SQLITE_DONE ? SQLITE_NOTFOUND : end != 0 ? end : rc;
}

int sqlite_bind(sqlite3_stmt *stmt, int at, const struct val *v) {
    switch (v->type) {
    case VAL_NULL: return sqlite3_bind_null(stmt, at);
    case VAL_INT: return sqlite3_bind_int64(stmt, at, v->i);
    case VAL_TEXT:
        return sqlite3_bind_text64(stmt, at, v->s.n == 0 ? "" : v->s.p, v->s.n, SQLITE_STATIC,
                                   SQLITE_UTF8);
    case VAL_BLOB:
        return sqlite3_bind_blob64(stmt, at, v->s.n == 0 ? "" : v->s.p, v->s.n, SQLITE_STATIC);
    }
    return SQLITE_MISMATCH;
}

/* A float can only come out of an expression of a trusted script's own select; it comes as text, so
 * that nobody computes with it by accident. */
struct val sqlite_column(sqlite3_stmt *stmt, int column) {
    switch (sqlite3_column_type(stmt, column)) {
    case SQLITE_NULL: return V_NULL;
    case SQLITE_INTEGER: return V_INT(sqlite3_column_int64(stmt, column));
    case SQLITE_BLOB: {
        const char *p = sqlite3_column_blob(stmt, column);
        return V_BLOB(((struct str){p, (size_t)sqlite3_column_bytes(stmt, column)}));
    }
    default: {
        const char *p = (const char *)sqlite3_column_text(stmt, column);
        return V_STR(((struct str){p, (size_t)sqlite3_column_bytes(stmt, column)}));
    }
    }
}

/* ---- opening ---- */

/* Readers may do this and nothing else, whatever SQL a trusted script brings; to hold a snapshot is ours
 * alone. */
static int read_only(void *data, int action, const char *a, const char *b, const char *c,
                     const char *d) {
    (void)a, (void)c, (void)d;
    if (action == SQLITE_TRANSACTION && ((const struct conn *)data)->saying) return SQLITE_OK;
    if (action == SQLITE_SELECT || action == SQLITE_READ || action == SQLITE_RECURSIVE)
        return SQLITE_OK;
    if (action == SQLITE_FUNCTION && b != NULL && strcmp(b, "load_extension") != 0)
        return SQLITE_OK;
    return SQLITE_DENY;
}

void conn_restrict(struct conn *conn, bool on) {
    sqlite3_set_authorizer(conn->db, on ? read_only : NULL, conn);
}

static int past_limit(void *data) {
    struct conn *conn = data;
    if (conn->steps_left == 0) return 1;
    if (conn->steps_left > 0) conn->steps_left--;
    if (conn->cpu_left_ns != 0 && conn->deadline_cpu_ns == 0)
        conn->deadline_cpu_ns = clock_thread_cpu_ns() + conn->cpu_left_ns;
    else if (conn->cpu_left_ns != 0 && clock_thread_cpu_ns() > conn->deadline_cpu_ns)
        return 1;
    return conn->deadline_ns != 0 && clock_mono_ns(conn->clock) > conn->deadline_ns;
}

struct setting {
    const char *name;
    int64_t value;
    unsigned roles; /* bits of enum db_role */
};
#define IN(role)  (1u << (role))
#define ALL_ROLES 0xffu
#define WRITERS   (IN(DB_WRITER) | IN(DB_SOLE))

static const struct setting PRAGMAS[] = {
    {"foreign_keys", 1, ALL_ROLES},
    {"recursive_triggers", 1, ALL_ROLES}, /* REPLACE meets the triggers that refuse deletes */
    {"synchronous", 2, ALL_ROLES},        /* FULL */
    {"mmap_size", 0, ALL_ROLES},
    {"cell_size_check", 1, ALL_ROLES},
    {"temp_store", 2, ALL_ROLES}, /* memory */
    {"journal_size_limit", 64 * 1024 * 1024, WRITERS},
    {"cache_size", -32768, WRITERS},
    {"cache_size", -4096, IN(DB_READER)},
    {"query_only", 1, IN(DB_READER)},
};

static const struct {
    int op, value;
    unsigned roles;
} CONFIGS[] = {
    {SQLITE_DBCONFIG_DQS_DML, 0, ALL_ROLES},
    {SQLITE_DBCONFIG_DQS_DDL, 0, ALL_ROLES},
    {SQLITE_DBCONFIG_DEFENSIVE, 1, ALL_ROLES},
    {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, ALL_ROLES},
    {SQLITE_DBCONFIG_ENABLE_FKEY, 1, ALL_ROLES},
    {SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, IN(DB_READER) | IN(DB_BACKUP)},
};

static int set_pragma(sqlite3 *db, const struct setting *s) {
    char sql[80];
    snprintf(sql, sizeof sql, "PRAGMA %s = %lld", s->name, (long long)s->value);
    int rc = sqlite_exec(db, sql);
    if (rc != SQLITE_OK) return rc;
    int64_t got = -1;
    snprintf(sql, sizeof sql, "PRAGMA %s", s->name);
    rc = sqlite_int(db, sql, &got);
    if (rc == SQLITE_NOTFOUND && strcmp(s->name, "mmap_size") == 0)
        return SQLITE_OK; /* this VFS or a file in memory has none */
    if (rc == SQLITE_OK && got != s->value) rc = SQLITE_MISUSE;
    return rc;
}

/* WAL, or what a file in memory has instead. */
static int set_journal(struct conn *conn, bool memory) {
    sqlite3_stmt *stmt = NULL;
    int rc = SQLITE_OK;
    if (conn->role == DB_SOLE && !memory)
        rc = sqlite_exec(conn->db, "PRAGMA locking_mode = EXCLUSIVE"); /* no shared memory */
    if (rc == SQLITE_OK)
        rc = sqlite3_prepare_v2(conn->db,
                                conn->role == DB_WRITER || conn->role == DB_SOLE
                                    ? "PRAGMA journal_mode = WAL"
                                    : "PRAGMA journal_mode",
                                -1, &stmt, NULL);
    if (rc == SQLITE_OK) rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) {
        const char *mode = (const char *)sqlite3_column_text(stmt, 0);
        rc = mode != NULL && strcmp(mode, memory ? "memory" : "wal") == 0 ? SQLITE_OK
                                                                          : SQLITE_MISUSE;
    }
    int end = sqlite3_finalize(stmt);
    return end != SQLITE_OK ? end : rc;
}

static int configure(struct conn *conn, bool memory, const char **what) {
    int rc = SQLITE_OK;
    sqlite3_extended_result_codes(conn->db, 1);
    *what = "busy_timeout";
    rc = sqlite3_busy_timeout(conn->db, BUSY_MS);
    for (size_t i = 0; i < ARRAY_LEN(CONFIGS) && rc == SQLITE_OK; i++) {
        if ((CONFIGS[i].roles & IN(conn->role)) == 0) continue;
        *what = "db_config";
        int got = -1;
        rc = sqlite3_db_config(conn->db, CONFIGS[i].op, CONFIGS[i].value, &got);
        if (rc == SQLITE_OK && got != CONFIGS[i].value) rc = SQLITE_MISUSE;
    }
    if (rc == SQLITE_OK && conn->role != DB_COPY) {
        *what = "journal_mode";
        rc = set_journal(conn, memory);
    }
    for (size_t i = 0; i < ARRAY_LEN(PRAGMAS) && rc == SQLITE_OK; i++) {
        if ((PRAGMAS[i].roles & IN(conn->role)) == 0) continue;
        *what = PRAGMAS[i].name;
        rc = set_pragma(conn->db, &PRAGMAS[i]);
    }
    if (rc != SQLITE_OK) return rc;
    *what = "wal_autocheckpoint";
    rc = sqlite3_wal_autocheckpoint(conn->db, 0); /* the writer decides when */
    if (conn->role == DB_READER) {
        sqlite3_limit(conn->db, SQLITE_LIMIT_ATTACHED, 0);
        conn_restrict(conn, true);
    }
    sqlite3_progress_handler(conn->db, 1000, past_limit, conn);
    return rc;
}

int db_conn_open(struct conn *conn, const char *file, const char *vfs, enum db_role role,
                 const struct clock *clock, struct why *why) {
    store_setup();
    *conn = (struct conn){.role = role, .clock = clock, .steps_left = -1};
    bool memory = file == NULL;
    int flags = SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_READWRITE;
    if (role == DB_WRITER || role == DB_SOLE) flags |= SQLITE_OPEN_CREATE;
    if (role == DB_SOLE || role == DB_BACKUP) flags |= SQLITE_OPEN_URI; /* copies into vfs_fd.h */
    const char *what = "open";
    conn->prepared = mem_array(QUERIES_MAX, sizeof(sqlite3_stmt *));
    if (conn->prepared == NULL) return why_set(why, E_NOMEM, "store: out of memory");
    int rc = sqlite3_open_v2(memory ? ":memory:" : file, &conn->db, flags, vfs);
    if (rc == SQLITE_OK) rc = configure(conn, memory, &what);
    if (rc == SQLITE_OK) return 0;
    int err = sqlite_err(rc);
    if (err == E_CORRUPT)
        why_set(why, err,
                "%s cannot be opened (%s): restore a backup in its place (and delete its -wal and "
                "-shm)",
                file, sqlite3_errstr(rc));
    else if (rc == SQLITE_MISUSE)
        why_set(why, err = E_INTERNAL, "%s: SQLite does not take the setting %s",
                memory ? "memory" : file, what);
    else
        why_set(why, err, "%s: %s (%s)", memory ? "memory" : file,
                conn->db == NULL ? sqlite3_errstr(rc) : sqlite3_errmsg(conn->db), what);
    db_conn_close(conn);
    return err;
}

void db_conn_close(struct conn *conn) {
    if (conn->prepared != NULL)
        for (size_t i = 0; i < QUERIES_MAX; i++)
            sqlite3_finalize(conn->prepared[i]);
    mem_free(conn->prepared);
    conn->prepared = NULL;
    sqlite3_finalize(conn->begin);
    sqlite3_finalize(conn->end);
    conn->begin = conn->end = NULL;
    if (conn->db == NULL) return;
    int rc = sqlite3_close(conn->db);
    ENSURE(rc != SQLITE_BUSY); /* a statement was left open */
    conn->db = NULL;
}
