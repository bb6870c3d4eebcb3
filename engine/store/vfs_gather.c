/* See vfs_gather.h. Only a WAL is gathered; every other file is the base's own. */
#include "store/vfs_gather.h"

#include "base/mem.h"

#include <string.h>

/* SQLite's own VFS writes 128 kB less a byte at once, and nothing at all of just 128 kB. */
enum { GATHER_MAX = 128 * 1024 - 1 };

struct wal_file {
    sqlite3_file base; /* what SQLite sees */
    sqlite3_file *real;
    char *bytes; /* waiting for `at` of the file */
    size_t n;
    sqlite3_int64 at;
};

static struct wal_file *of(sqlite3_file *file) {
    return (struct wal_file *)file;
}

/* What failed is forgotten: SQLite writes it anew, or gives up. */
static int flush(struct wal_file *f) {
    size_t n = f->n;
    f->n = 0;
    return n == 0 ? SQLITE_OK : f->real->pMethods->xWrite(f->real, f->bytes, (int)n, f->at);
}

static bool room_for(struct wal_file *f, size_t n) {
    if (f->bytes == NULL) f->bytes = mem_alloc(GATHER_MAX);
    return f->bytes != NULL && f->n + n <= GATHER_MAX; /* no memory: written as it comes */
}

static int wal_write(sqlite3_file *file, const void *p, int n, sqlite3_int64 at) {
    struct wal_file *f = of(file);
    bool next = f->n != 0 && at == f->at + (sqlite3_int64)f->n;
    if (f->n != 0 && (!next || !room_for(f, (size_t)n))) {
        int rc = flush(f);
        if (rc != SQLITE_OK) return rc;
    }
    if (f->n == 0 && !room_for(f, (size_t)n)) return f->real->pMethods->xWrite(f->real, p, n, at);
    if (f->n == 0) f->at = at;
    memcpy(f->bytes + f->n, p, (size_t)n);
    f->n += (size_t)n;
    return SQLITE_OK;
}

static int wal_close(sqlite3_file *file) {
    struct wal_file *f = of(file);
    int rc = flush(f);
    int closed = f->real->pMethods->xClose(f->real);
    mem_free(f->bytes);
    return rc != SQLITE_OK ? rc : closed;
}

/* Whatever asks the file finds in it what was written. */
static int wal_read(sqlite3_file *file, void *p, int n, sqlite3_int64 at) {
    int rc = flush(of(file));
    return rc != SQLITE_OK ? rc : of(file)->real->pMethods->xRead(of(file)->real, p, n, at);
}
static int wal_truncate(sqlite3_file *file, sqlite3_int64 size) {
    int rc = flush(of(file));
    return rc != SQLITE_OK ? rc : of(file)->real->pMethods->xTruncate(of(file)->real, size);
}
static int wal_sync(sqlite3_file *file, int flags) {
    int rc = flush(of(file));
    return rc != SQLITE_OK ? rc : of(file)->real->pMethods->xSync(of(file)->real, flags);
}
static int wal_size(sqlite3_file *file, sqlite3_int64 *size) {
    int rc = flush(of(file));
    return rc != SQLITE_OK ? rc : of(file)->real->pMethods->xFileSize(of(file)->real, size);
}

static int wal_lock(sqlite3_file *file, int level) {
    return of(file)->real->pMethods->xLock(of(file)->real, level);
}
static int wal_unlock(sqlite3_file *file, int level) {
    return of(file)->real->pMethods->xUnlock(of(file)->real, level);
}
static int wal_reserved(sqlite3_file *file, int *out) {
    return of(file)->real->pMethods->xCheckReservedLock(of(file)->real, out);
}
static int wal_control(sqlite3_file *file, int op, void *data) {
    return of(file)->real->pMethods->xFileControl(of(file)->real, op, data);
}
static int wal_sector(sqlite3_file *file) {
    return of(file)->real->pMethods->xSectorSize(of(file)->real);
}
static int wal_traits(sqlite3_file *file) {
    return of(file)->real->pMethods->xDeviceCharacteristics(of(file)->real);
}

static const sqlite3_io_methods WAL_METHODS = {.iVersion = 1,
                                               .xClose = wal_close,
                                               .xRead = wal_read,
                                               .xWrite = wal_write,
                                               .xTruncate = wal_truncate,
                                               .xSync = wal_sync,
                                               .xFileSize = wal_size,
                                               .xLock = wal_lock,
                                               .xUnlock = wal_unlock,
                                               .xCheckReservedLock = wal_reserved,
                                               .xFileControl = wal_control,
                                               .xSectorSize = wal_sector,
                                               .xDeviceCharacteristics = wal_traits};

static int gather_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
                       int *out) {
    sqlite3_vfs *base = vfs->pAppData;
    if ((flags & SQLITE_OPEN_WAL) == 0) return base->xOpen(base, name, file, flags, out);
    struct wal_file *f = of(file);
    *f = (struct wal_file){.real = (sqlite3_file *)(f + 1)};
    f->real->pMethods = NULL;
    int rc = base->xOpen(base, name, f->real, flags, out);
    if (rc == SQLITE_OK)
        f->base.pMethods = &WAL_METHODS;
    else if (f->real->pMethods != NULL)
        f->real->pMethods->xClose(f->real);
    return rc;
}

void vfs_gather_register(sqlite3_vfs *vfs, const char *name, sqlite3_vfs *base, bool by_default) {
    *vfs = *base;
    vfs->zName = name;
    vfs->pNext = NULL;
    vfs->pAppData = base;
    vfs->szOsFile = (int)sizeof(struct wal_file) + base->szOsFile;
    vfs->xOpen = gather_open;
    sqlite3_vfs_register(vfs, by_default);
}
