/* Backup of a live store: VACUUM INTO a temporary file beside the target (one snapshot, compact,
 * the writer goes on), fsync, every check on the copy, rename, fsync of the directory. What stands
 * at the target is whole or is what stood there before.
 *
 * The file is made, synced, checked and named by whoever asked. Beside a running server that is the
 * client: the server gets the open file and nothing but fills it. So it lies where the client sees
 * it, with the client's rights, be the server shut in however it may (a /tmp of its own, a system that it
 * cannot write to, another user).
 *
 * To restore: stop the server, put the file in the place of DIR/luwak.db, delete -wal and -shm. */
#include "base/fault.h"
#include "base/mem.h"
#include "store/sqlite_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* Never into a file that holds something, nor into what is no file. */
static int check_target(int fd, struct why *why) {
    struct stat st;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == 0) return 0;
    return why_set(why, E_INVAL, "a backup goes into an empty file");
}

static int copy_out(struct conn *conn, int fd, const _Atomic bool *ended, struct why *why) {
    char to[64];
    sqlite3_stmt *stmt = NULL;
    sqlite_end_on(ended);
    snprintf(to, sizeof to, "file:fd-%d?vfs=luwak-fd", fd);
    int rc = sqlite3_prepare_v2(conn->db, "VACUUM INTO ?1", -1, &stmt, NULL);
    if (rc == SQLITE_OK) rc = sqlite3_bind_text(stmt, 1, to, -1, SQLITE_STATIC);
    if (rc == SQLITE_OK) rc = sqlite3_step(stmt);
    int err = rc == SQLITE_DONE ? 0 : why_set(why, sqlite_err(rc), "%s", sqlite3_errmsg(conn->db));
    sqlite3_finalize(stmt);
    sqlite_end_on(NULL);
    if (err != 0 && *ended) err = why_set(why, E_CLOSED, "the store closes");
    return err;
}

int sqlite_backup(struct store *store, int fd, struct why *why) {
    struct sqlite_store *s = sqlite_of(store);
    int err = check_target(fd, why);
    if (err != 0) return err;
    if (s->sole) {
        pthread_mutex_lock(&s->writer.db_lock);
        err = copy_out(&s->writer.conn, fd, &store->care_ended, why);
        pthread_mutex_unlock(&s->writer.db_lock);
        return err;
    }
    struct conn conn;
    err = db_conn_open(&conn, s->file, s->vfs, DB_BACKUP, s->base.clock, why);
    if (err != 0) return err;
    err = copy_out(&conn, fd, &store->care_ended, why);
    db_conn_close(&conn);
    return err;
}

/* ---- around it: the file ---- */

static int io_error(const char *path, struct why *why) {
    return why_set(why, errno == ENOSPC ? E_FULL : E_IO, "%s: %s", path, strerror(errno));
}

/* The file under its temporary name, filled and on the disk. */
static int make(struct store *store, const char *to, const char *temp, struct why *why) {
    struct stat st;
    unlink(temp);
    int fd = open(temp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) return io_error(temp, why);
    int err = store_backup_into(store, fd, why);
    if (err != 0) why_prefix(why, "%s: ", to);
    if (err == 0 && (fsync(fd) != 0 || fstat(fd, &st) != 0)) err = io_error(temp, why);
    if (err == 0 && st.st_size == 0) err = why_set(why, E_IO, "%s: nothing was written", temp);
    close(fd);
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

static int check_copy(const char *temp, const struct clock *clock, struct why *why) {
    struct conn copy;
    struct why first = {0};
    int err = db_conn_open(&copy, temp, NULL, DB_COPY, clock, why);
    if (err != 0) return err;
    struct first_bad data = {&first};
    const struct store_report report = {bad_line, &data};
    err = sqlite_check(copy.db, &report);
    db_conn_close(&copy);
    return err == 0 ? 0 : why_set(why, err, "%s", first.text);
}

int store_backup(struct store *store, const char *to, struct why *why) {
    struct buf temp = {0};
    buf_addf(&temp, "%s.part-%ld", to, (long)getpid());
    if (temp.err != 0) return why_set(why, E_NOMEM, "backup: out of memory");
    int err = make(store, to, temp.data, why);
    if (err == 0) err = check_copy(temp.data, store->clock, why);
    if (err == 0 && FAULT("store.backup")) err = why_set(why, E_IO, "fault point");
    if (err == 0 && rename(temp.data, to) != 0) err = io_error(to, why);
    if (err != 0)
        unlink(temp.data);
    else if (dir_sync(to) != 0)
        err = why_set(why, E_IO, "%s: its directory cannot be synced", to);
    buf_free(&temp);
    return err;
}
