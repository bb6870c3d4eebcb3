/* The SQLite store: the data directory and its lock, start and stop, and the driver's table.
 *
 *   DIR/lock           held (flock) by the one process that owns the data; says its pid
 *   DIR/luwak.db       the data, with -wal and -shm beside it
 *   DIR/reserve        space kept for results on a full disk
 *   DIR/control.sock   control.c
 *
 * Three shapes: threads and a file; inline and a file (simulation, over a VFS); in memory. The last
 * two have one connection, which serves reads as well. With a VFS of its own, inline, there is no
 * directory and no lock, and a reserve only if one was asked for: a file of that VFS. */
#include "base/ensure.h"
#include "base/mem.h"
#include "store/sqlite_private.h"
#include "store/vfs_record.h"
#include "sys/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define QUICK_CHECK_BYTES (64 * 1024 * 1024)

static char *join(const char *dir, const char *name) {
    struct buf b = {0};
    buf_addf(&b, "%s/%s", dir, name);
    return b.err != 0 ? NULL : buf_take(&b, NULL);
}

int dir_sync(const char *path) {
    char *dir = mem_strdup(path);
    if (dir == NULL) return E_NOMEM;
    char *slash = strrchr(dir, '/');
    if (slash != NULL) *(slash == dir ? slash + 1 : slash) = '\0';
    int fd = open(slash == NULL ? "." : dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    mem_free(dir);
    if (fd < 0) return E_IO;
    int err = fsync(fd) == 0 ? 0 : E_IO;
    close(fd);
    return err;
}

static int take_lock(struct sqlite_store *s, struct why *why) {
    if (mkdir(s->dir, 0700) != 0 && errno != EEXIST)
        return why_set(why, E_IO, "%s: cannot make the data directory: %s", s->dir,
                       strerror(errno));
    char *path = join(s->dir, "lock");
    if (path == NULL) return why_set(why, E_NOMEM, "store: out of memory");
    int err = 0;
    char text[32] = {0};
    s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (s->lock_fd < 0) {
        err = why_set(why, errno == EACCES ? E_DENIED : E_IO, "%s: %s", path, strerror(errno));
        goto out;
    }
    if (flock(s->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        if (read(s->lock_fd, text, sizeof text - 1) <= 0) text[0] = '\0';
        text[strcspn(text, "\n")] = '\0';
        err = why_set(why, E_BUSY, "%s is in use by process %s: stop it, or use its control socket",
                      s->dir, text[0] == '\0' ? "(unknown)" : text);
        close(s->lock_fd);
        s->lock_fd = -1;
        goto out;
    }
    int n = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    if (ftruncate(s->lock_fd, 0) != 0 || pwrite(s->lock_fd, text, (size_t)n, 0) != n)
        log_warn("lock_without_pid",
                 L_TEXT("path", path)); /* a full disk: it is locked all the same */
out:
    mem_free(path);
    return err;
}

/* ---- reserve: space that results may have when the disk is full ---- */

static int reserve_on_vfs(struct writer *w) {
    static const char ZEROS[4096];
    sqlite3_vfs *vfs = sqlite3_vfs_find(w->reserve_vfs);
    sqlite3_file *file = mem_zalloc((size_t)vfs->szOsFile);
    if (file == NULL) return E_NOMEM;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_MAIN_DB;
    sqlite3_int64 at = 0;
    int rc = vfs->xOpen(vfs, w->reserve_path, file, flags, NULL);
    if (rc == SQLITE_OK) {
        rc = file->pMethods->xFileSize(file, &at);
        for (; rc == SQLITE_OK && at < w->reserve; at += (sqlite3_int64)sizeof ZEROS)
            rc = file->pMethods->xWrite(file, ZEROS, sizeof ZEROS, at);
        file->pMethods->xClose(file);
        if (rc != SQLITE_OK) vfs->xDelete(vfs, w->reserve_path, 0);
    }
    mem_free(file);
    return rc == SQLITE_OK ? 0 : sqlite_err(rc) == E_NOMEM ? E_NOMEM : E_FULL;
}

int reserve_make(struct writer *w) {
    if (w->reserve == 0 || w->reserve_path == NULL) return 0;
    if (w->reserve_vfs != NULL) return reserve_on_vfs(w);
    int fd = open(w->reserve_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return errno == ENOSPC ? E_FULL : E_IO;
    int rc = posix_fallocate(fd, 0, w->reserve);
    close(fd);
    if (rc != 0) unlink(w->reserve_path);
    return rc == 0 ? 0 : E_FULL;
}

void reserve_use(struct writer *w) {
    if (w->reserve_path == NULL) return;
    if (w->reserve_vfs == NULL) {
        unlink(w->reserve_path);
    } else {
        sqlite3_vfs *vfs = sqlite3_vfs_find(w->reserve_vfs);
        vfs->xDelete(vfs, w->reserve_path, 0);
    }
}

/* ---- start ---- */

/* A large file that was closed well is not read through at each start: its header and schema are,
 * and `luwak verify` and every backup read it all. A WAL left behind says that it was not closed
 * well. */
static int check_file(struct sqlite_store *s, bool was_clean, off_t size, struct why *why) {
    sqlite3 *db = s->writer.conn.db;
    int64_t version = 0, application = 0;
    int rc = sqlite_int(db, "PRAGMA user_version", &version);
    if (rc == SQLITE_OK) rc = sqlite_int(db, "PRAGMA application_id", &application);
    const char *found = NULL;
    sqlite3_stmt *stmt = NULL;
    const unsigned refused = sqlite_memory_refused();
    if (rc == SQLITE_OK && (!was_clean || size < QUICK_CHECK_BYTES)) {
        rc = sqlite3_prepare_v2(db, "PRAGMA quick_check(1)", -1, &stmt, NULL);
        if (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) rc = SQLITE_OK;
        if (rc == SQLITE_OK) found = (const char *)sqlite3_column_text(stmt, 0);
        if (found != NULL && strcmp(found, "ok") == 0) found = NULL;
        if (found != NULL && sqlite_memory_refused() != refused) {
            found = NULL;
            rc = SQLITE_NOMEM;
        }
    }
    int err = 0;
    if (found != NULL || sqlite_err(rc) == E_CORRUPT)
        err = why_set(why, E_CORRUPT,
                      "%s is damaged (%.120s): restore a backup in its place (and delete its -wal "
                      "and -shm), or run `luwak verify` to see what is wrong",
                      s->file, found != NULL ? found : sqlite3_errstr(rc));
    else if (rc != SQLITE_OK)
        err = why_set(why, sqlite_err(rc), "%s: %s", s->file, sqlite3_errstr(rc));
    else if (version != 0 && application != SCHEMA_APPLICATION_ID)
        err = why_set(why, E_VERSION, "%s is no file of Luwak's", s->file);
    else if (version > SCHEMA_STEP_COUNT)
        err = why_set(why, E_VERSION,
                      "%s was made by a newer Luwak (schema %d, this one knows %d): use that one",
                      s->file, (int)version, SCHEMA_STEP_COUNT);
    sqlite3_finalize(stmt);
    return err;
}

static void free_all(struct sqlite_store *s) {
    if (s->lock_fd >= 0) close(s->lock_fd);
    mem_free(s->dir);
    mem_free(s->file);
    mem_free(s->vfs);
    pthread_mutex_destroy(&s->point_lock);
    store_free(&s->base);
    mem_free(s);
}

static bool writer_reads(const struct sqlite_store *s) {
    return s->readers == NULL;
}

static void drv_read(struct store *store, struct read *read) {
    struct sqlite_store *s = sqlite_of(store);
    if (writer_reads(s))
        writer_read(&s->writer, read);
    else
        readers_put(s->readers, read);
}

static void drv_submit(struct store *store, struct commit *commit) {
    writer_submit(&sqlite_of(store)->writer, commit);
}

/* This thread's connection for point reads, opened when first asked for. */
static int point_conn(struct sqlite_store *s, struct conn **out) {
    pthread_t self = pthread_self();
    int err = 0;
    *out = NULL;
    pthread_mutex_lock(&s->point_lock);
    for (size_t i = 0; i < s->point_count && *out == NULL; i++)
        if (pthread_equal(s->points[i]->thread, self)) *out = &s->points[i]->conn;
    if (*out == NULL && s->point_count == POINT_CONNS_MAX) err = E_LIMIT;
    if (*out == NULL && err == 0) {
        struct point_conn *p = mem_zalloc(sizeof *p);
        err = p == NULL ? E_NOMEM
                        : db_conn_open(&p->conn, s->file, s->vfs, DB_READER, s->base.clock, NULL);
        if (err == 0) {
            p->thread = self;
            s->points[s->point_count++] = p;
            *out = &p->conn;
        } else {
            mem_free(p);
        }
    }
    pthread_mutex_unlock(&s->point_lock);
    return err;
}

/* Of this thread: it will rest, and the connection whose snapshot it holds. */
static _Thread_local bool rests;
static _Thread_local struct conn *holds;

static void drv_rest(struct store *store, bool promise) {
    (void)store;
    rests = rests || promise;
    if (holds != NULL) conn_let_go(holds);
    if (holds != NULL && !holds->held) holds = NULL;
}

static int drv_get(struct store *store, const struct query *query, const struct val *values,
                   size_t count, struct rows **out) {
    struct sqlite_store *s = sqlite_of(store);
    if (s->sole) {
        pthread_mutex_lock(&s->writer.db_lock);
        int err = conn_point(&s->writer.conn, s->writer.loop != NULL, query, values, count, out);
        pthread_mutex_unlock(&s->writer.db_lock);
        return err;
    }
    struct conn *conn;
    int err = point_conn(s, &conn);
    if (err == 0 && rests) {
        conn_hold(conn, atomic_load(&s->writer.committed));
        holds = conn;
    }
    return err != 0 ? err : conn_point(conn, false, query, values, count, out);
}

static int drv_add_query(struct store *store, const char *name, const char *sql, struct why *why) {
    (void)name;
    struct sqlite_store *s = sqlite_of(store);
    pthread_mutex_lock(&s->writer.db_lock);
    conn_restrict(&s->writer.conn, true);
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(s->writer.conn.db, sql, -1, &stmt, NULL);
    int err = 0;
    if (rc == SQLITE_AUTH)
        err = why_set(why, E_DENIED, "only SELECT is allowed here");
    else if (rc != SQLITE_OK)
        err = why_set(why, sqlite_err(rc), "%s", sqlite3_errmsg(s->writer.conn.db));
    else if (stmt == NULL)
        err = why_set(why, E_INVAL, "it is empty");
    sqlite3_finalize(stmt);
    conn_restrict(&s->writer.conn, false);
    pthread_mutex_unlock(&s->writer.db_lock);
    return err;
}

static void stop(struct store *store, bool crash) {
    struct sqlite_store *s = sqlite_of(store);
    readers_stop(s->readers, !crash);
    for (size_t i = 0; i < s->point_count; i++) {
        if (holds == &s->points[i]->conn) holds = NULL;
        db_conn_close(&s->points[i]->conn);
        mem_free(s->points[i]);
    }
    writer_stop(&s->writer, crash);
    free_all(s);
}

static void drv_close(struct store *store) {
    stop(store, false);
}
static void drv_crash(struct store *store) {
    stop(store, true);
}

static const struct store_driver SQLITE = {
    .close = drv_close,
    .crash = drv_crash,
    .submit = drv_submit,
    .read = drv_read,
    .get = drv_get,
    .rest = drv_rest,
    .add_query = drv_add_query,
    .migrate = sqlite_migrate,
    .backup = sqlite_backup,
    .verify = sqlite_verify,
};

void store_stats(struct store *store, struct store_stats *out) {
    memset(out, 0, sizeof *out);
    if (store->driver != &SQLITE) return;
    struct writer *w = &sqlite_of(store)->writer;
    pthread_mutex_lock(&w->lock);
    *out = w->stats;
    out->full = w->full;
    out->waiting = w->waiting[0] + w->waiting[1];
    pthread_mutex_unlock(&w->lock);
}

static int open_files(struct sqlite_store *s, const struct store_options *o, struct why *why) {
    struct stat st = {0};
    bool was_clean = true;
    bool bare = o->inline_on != NULL && o->vfs != NULL;
    if (o->path != NULL) {
        s->dir = mem_strdup(o->path);
        s->file = join(o->path, "luwak.db");
        if (o->vfs != NULL) s->vfs = mem_strdup(o->vfs);
        char *wal = join(o->path, "luwak.db-wal");
        bool reserve = !bare || o->reserve != 0;
        if (reserve) s->writer.reserve_path = join(o->path, "reserve");
        if (bare) s->writer.reserve_vfs = s->vfs;
        bool all = s->dir != NULL && s->file != NULL && wal != NULL &&
                   (o->vfs == NULL || s->vfs != NULL) &&
                   (!reserve || s->writer.reserve_path != NULL);
        int err = !all   ? why_set(why, E_NOMEM, "store: out of memory")
                  : bare ? 0
                         : take_lock(s, why);
        struct stat wal_st;
        if (err == 0) was_clean = stat(wal, &wal_st) != 0 || wal_st.st_size == 0;
        mem_free(wal);
        if (err != 0) return err;
        (void)stat(s->file, &st);
        s->writer.reserve = o->reserve == 0 ? RESERVE_DEFAULT : (int64_t)o->reserve;
    }
    int err = db_conn_open(&s->writer.conn, s->file, s->vfs, s->sole ? DB_SOLE : DB_WRITER,
                           o->clock, why);
    if (err == 0 && s->file != NULL && !o->unchecked)
        err = check_file(s, was_clean, st.st_size, why);
    /* The names: a rollback journal whose deletion was lost would come back and undo it all. */
    if (err == 0 && s->file != NULL && !bare) err = dir_sync(s->file);
    if (err == 0 && bare && disk_of_path(s->file) != NULL) disk_sync_names(disk_of_path(s->file));
    return err;
}

int store_open(struct store **out, const struct store_options *options, struct why *why) {
    store_setup();
    struct sqlite_store *s = mem_zalloc(sizeof *s);
    if (s == NULL) return why_set(why, E_NOMEM, "store: out of memory");
    s->lock_fd = -1;
    if (store_init(&s->base, &SQLITE, options->clock) != 0) {
        mem_free(s);
        return why_set(why, E_NOMEM, "store: out of memory");
    }
    pthread_mutex_init(&s->point_lock, NULL);
    s->sole = options->path == NULL || options->inline_on != NULL;
    s->writer.store = s;
    s->writer.loop = options->inline_on;
    s->writer.queue_max = options->queue_max;
    s->writer.checkpoint_pages = options->checkpoint_pages;
    int err = open_files(s, options, why);
    if (err != 0) {
        db_conn_close(&s->writer.conn);
        mem_free(s->writer.reserve_path);
        free_all(s);
        return err;
    }
    err = writer_start(&s->writer, why);
    if (err == 0 && !s->sole)
        err = readers_start(&s->readers, options->readers, s->file, s->vfs, options->clock, why);
    if (err != 0) {
        stop(&s->base, false);
        return err;
    }
    *out = &s->base;
    return 0;
}
