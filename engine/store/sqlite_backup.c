/* Backup of a live store: VACUUM INTO a temporary file beside the target (one snapshot, compact,
 * the writer goes on), fsync, every check on the copy, rename, fsync of the directory. What stands
 * at the target is whole or is what stood there before.
 *
 * To restore: stop the server, put the file in the place of DIR/luwak.db, delete -wal and -shm. */
#include "base/fault.h"
#include "base/mem.h"
#include "store/sqlite_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static int file_sync(const char *path, struct why *why) {
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0) {
        int err = why_set(why, errno == ENOSPC ? E_FULL : E_IO, "%s: %s", path, strerror(errno));
        if (fd >= 0) close(fd);
        return err;
    }
    close(fd);
    return 0;
}

static int copy_out(struct conn *conn, const char *temp, struct why *why) {
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(conn->db, "VACUUM INTO ?1", -1, &stmt, NULL);
    if (rc == SQLITE_OK) rc = sqlite3_bind_text(stmt, 1, temp, -1, SQLITE_STATIC);
    if (rc == SQLITE_OK) rc = sqlite3_step(stmt);
    int err = rc == SQLITE_DONE
                  ? 0
                  : why_set(why, sqlite_err(rc), "%s: %s", temp, sqlite3_errmsg(conn->db));
    sqlite3_finalize(stmt);
    return err;
}

struct first_bad {
    struct why *why;
};

static void bad_line(void *data, bool good, const char *text) {
    struct first_bad *first = data;
    if (!good && first->why != NULL && first->why->code == 0)
        why_set(first->why, E_CORRUPT, "the copy is not good: %.300s", text);
}

static int check_copy(const struct sqlite_store *s, const char *temp, struct why *why) {
    struct conn copy;
    struct why first = {0};
    int err = db_conn_open(&copy, temp, NULL, DB_COPY, s->base.clock, why);
    if (err != 0) return err;
    struct first_bad data = {&first};
    const struct store_report report = {bad_line, &data};
    err = sqlite_check(copy.db, &report);
    db_conn_close(&copy);
    return err == 0 ? 0 : why_set(why, err, "%s", first.text);
}

static int make(struct sqlite_store *s, const char *temp, struct why *why) {
    if (s->sole) {
        pthread_mutex_lock(&s->writer.db_lock);
        int err = copy_out(&s->writer.conn, temp, why);
        pthread_mutex_unlock(&s->writer.db_lock);
        return err;
    }
    struct conn conn;
    int err = db_conn_open(&conn, s->file, s->vfs, DB_BACKUP, s->base.clock, why);
    if (err != 0) return err;
    err = copy_out(&conn, temp, why);
    db_conn_close(&conn);
    return err;
}

int sqlite_backup(struct store *store, const char *to, struct why *why) {
    struct sqlite_store *s = sqlite_of(store);
    struct buf temp = {0};
    buf_addf(&temp, "%s.part-%ld", to, (long)getpid());
    if (temp.err != 0) return why_set(why, E_NOMEM, "backup: out of memory");
    unlink(temp.data);
    int err = make(s, temp.data, why);
    if (err == 0) err = file_sync(temp.data, why);
    if (err == 0) err = check_copy(s, temp.data, why);
    if (err == 0 && FAULT("store.backup")) err = why_set(why, E_IO, "fault point");
    if (err == 0 && rename(temp.data, to) != 0)
        err = why_set(why, E_IO, "%s: %s", to, strerror(errno));
    if (err != 0)
        unlink(temp.data);
    else if (dir_sync(to) != 0)
        err = why_set(why, E_IO, "%s: its directory cannot be synced", to);
    buf_free(&temp);
    return err;
}
