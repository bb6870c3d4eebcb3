/* See vfs_record.h: SQLite's side. Names that belong to no disk (SQLite's own temporary files, if
 * it ever wants one) live in memory as long as they are open. */
#include "base/mem.h"
#include "store/store.h"
#include "store/vfs_gather.h"
#include "store/vfs_private.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

struct handle {
    sqlite3_file base;
    struct disk_file *file; /* NULL: a temporary one */
    struct content temporary;
    bool remove; /* when it is closed */
};

static struct handle *of(sqlite3_file *f) {
    return (struct handle *)f;
}

static int code(enum disk_verdict verdict, int io) {
    switch (verdict) {
    case DISK_OK: return SQLITE_OK;
    case DISK_FULL: return SQLITE_FULL;
    case DISK_NOMEM: return SQLITE_IOERR_NOMEM;
    default: return io;
    }
}

static int r_close(sqlite3_file *f) {
    struct handle *h = of(f);
    if (h->file != NULL) {
        disk_close(h->file);
        if (h->remove) disk_remove(h->file, false);
    }
    mem_free(h->temporary.p);
    return SQLITE_OK;
}

static int r_read(sqlite3_file *f, void *p, int n, sqlite3_int64 at) {
    struct handle *h = of(f);
    if (h->file != NULL && !disk_may_read(h->file)) return SQLITE_IOERR_READ;
    const struct content *c = h->file != NULL ? &h->file->live : &h->temporary;
    size_t have = (size_t)at >= c->n ? 0 : c->n - (size_t)at;
    if (have > (size_t)n) have = (size_t)n;
    if (have != 0) memcpy(p, c->p + at, have);
    if (have == (size_t)n) return SQLITE_OK;
    memset((char *)p + have, 0, (size_t)n - have);
    return SQLITE_IOERR_SHORT_READ;
}

static int r_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at) {
    struct handle *h = of(f);
    if (h->file == NULL)
        return content_write(&h->temporary, p, (size_t)n, at) == 0 ? SQLITE_OK : SQLITE_IOERR_NOMEM;
    return code(disk_write(h->file, p, (size_t)n, at), SQLITE_IOERR_WRITE);
}

static int r_truncate(sqlite3_file *f, sqlite3_int64 size) {
    struct handle *h = of(f);
    if (h->file == NULL)
        return content_size(&h->temporary, size) == 0 ? SQLITE_OK : SQLITE_IOERR_NOMEM;
    return code(disk_truncate(h->file, size), SQLITE_IOERR_TRUNCATE);
}

static int r_sync(sqlite3_file *f, int flags) {
    (void)flags;
    struct handle *h = of(f);
    return h->file == NULL ? SQLITE_OK : code(disk_sync(h->file), SQLITE_IOERR_FSYNC);
}

static int r_size(sqlite3_file *f, sqlite3_int64 *out) {
    struct handle *h = of(f);
    *out = (sqlite3_int64)(h->file != NULL ? h->file->live.n : h->temporary.n);
    return SQLITE_OK;
}

static int r_lock(sqlite3_file *f, int level) {
    (void)f, (void)level;
    return SQLITE_OK;
}
static int r_reserved(sqlite3_file *f, int *out) {
    (void)f;
    *out = 0;
    return SQLITE_OK;
}
static int r_control(sqlite3_file *f, int op, void *arg) {
    (void)f, (void)op, (void)arg;
    return SQLITE_NOTFOUND;
}
static int r_sector(sqlite3_file *f) {
    (void)f;
    return 4096; /* as the default VFS says of every disk */
}
static int r_device(sqlite3_file *f) {
    (void)f;
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

/* No shared memory: the inline store locks its file exclusively and keeps the WAL's index itself.
 */
static const sqlite3_io_methods METHODS = {.iVersion = 1,
                                           .xClose = r_close,
                                           .xRead = r_read,
                                           .xWrite = r_write,
                                           .xTruncate = r_truncate,
                                           .xSync = r_sync,
                                           .xFileSize = r_size,
                                           .xLock = r_lock,
                                           .xUnlock = r_lock,
                                           .xCheckReservedLock = r_reserved,
                                           .xFileControl = r_control,
                                           .xSectorSize = r_sector,
                                           .xDeviceCharacteristics = r_device};

static int r_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out) {
    (void)vfs;
    struct handle *h = of(f);
    *h = (struct handle){0};
    struct disk *d = name == NULL ? NULL : disk_of_path(name);
    if (name != NULL && d == NULL) return SQLITE_CANTOPEN;
    if (d != NULL) {
        h->file = disk_find(d, name);
        if (h->file == NULL && (flags & SQLITE_OPEN_CREATE) == 0) return SQLITE_CANTOPEN;
        if (h->file == NULL) h->file = disk_create(d, name);
        if (h->file == NULL) return SQLITE_NOMEM;
        h->file->open++;
        h->remove = (flags & SQLITE_OPEN_DELETEONCLOSE) != 0;
    }
    h->base.pMethods = &METHODS;
    if (out != NULL) *out = flags;
    return SQLITE_OK;
}

static int r_delete(sqlite3_vfs *vfs, const char *name, int synced) {
    (void)vfs;
    struct disk *d = disk_of_path(name);
    struct disk_file *file = d == NULL ? NULL : disk_find(d, name);
    if (file == NULL) return SQLITE_IOERR_DELETE_NOENT;
    return code(disk_remove(file, synced != 0), SQLITE_IOERR_DELETE);
}

static int r_access(sqlite3_vfs *vfs, const char *name, int flags, int *out) {
    (void)vfs;
    struct disk *d = disk_of_path(name);
    struct disk_file *file = d == NULL ? NULL : disk_find(d, name);
    *out = file != NULL && (flags != SQLITE_ACCESS_EXISTS || file->live.n != 0);
    return SQLITE_OK;
}

static int r_full_path(sqlite3_vfs *vfs, const char *name, int n, char *out) {
    (void)vfs;
    return snprintf(out, (size_t)n, "%s", name) < n ? SQLITE_OK : SQLITE_CANTOPEN;
}

static int r_sleep(sqlite3_vfs *vfs, int us) {
    (void)vfs;
    return us; /* nobody else could let go of anything meanwhile */
}

static void setup(void) {
    static sqlite3_vfs vfs, gathered;
    store_setup();
    vfs = *sqlite3_vfs_find(NULL); /* clock and randomness are its */
    vfs.pNext = NULL;
    vfs.szOsFile = (int)sizeof(struct handle);
    vfs.xOpen = r_open;
    vfs.xDelete = r_delete;
    vfs.xAccess = r_access;
    vfs.xFullPathname = r_full_path;
    vfs.xSleep = r_sleep;
    vfs_gather_register(&gathered, VFS_RECORD, &vfs, false); /* as on a real disk */
}

void vfs_record_setup(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, setup);
}
