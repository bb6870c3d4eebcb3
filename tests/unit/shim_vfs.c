/* See shim_vfs.h. Only regular writes count against the room; shared memory and locks pass. */
#include "shim_vfs.h"

#include "store/store.h"

#include <sqlite3.h>
#include <string.h>

_Atomic int64_t shim_room = -1;
_Atomic int64_t shim_syncs;
_Atomic int shim_fail_sync;

struct shim_file {
    sqlite3_file base;
    sqlite3_file *real; /* behind us in the same memory */
};

#define REAL(f) (((struct shim_file *)(f))->real)

static int s_close(sqlite3_file *f) {
    return REAL(f)->pMethods->xClose(REAL(f));
}
static int s_read(sqlite3_file *f, void *p, int n, sqlite3_int64 at) {
    return REAL(f)->pMethods->xRead(REAL(f), p, n, at);
}
static int s_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at) {
    int64_t room = atomic_load(&shim_room);
    if (room >= 0 && room < n) return SQLITE_FULL;
    if (room >= 0) atomic_fetch_sub(&shim_room, n);
    return REAL(f)->pMethods->xWrite(REAL(f), p, n, at);
}
static int s_truncate(sqlite3_file *f, sqlite3_int64 n) {
    return REAL(f)->pMethods->xTruncate(REAL(f), n);
}
static int s_sync(sqlite3_file *f, int flags) {
    if (atomic_exchange(&shim_fail_sync, 0)) return SQLITE_IOERR_FSYNC;
    atomic_fetch_add(&shim_syncs, 1);
    return REAL(f)->pMethods->xSync(REAL(f), flags);
}
static int s_size(sqlite3_file *f, sqlite3_int64 *n) {
    return REAL(f)->pMethods->xFileSize(REAL(f), n);
}
static int s_lock(sqlite3_file *f, int l) {
    return REAL(f)->pMethods->xLock(REAL(f), l);
}
static int s_unlock(sqlite3_file *f, int l) {
    return REAL(f)->pMethods->xUnlock(REAL(f), l);
}
static int s_reserved(sqlite3_file *f, int *out) {
    return REAL(f)->pMethods->xCheckReservedLock(REAL(f), out);
}
static int s_control(sqlite3_file *f, int op, void *arg) {
    return REAL(f)->pMethods->xFileControl(REAL(f), op, arg);
}
static int s_sector(sqlite3_file *f) {
    return REAL(f)->pMethods->xSectorSize(REAL(f));
}
static int s_device(sqlite3_file *f) {
    return REAL(f)->pMethods->xDeviceCharacteristics(REAL(f));
}
static int s_shm_map(sqlite3_file *f, int i, int n, int extend, void volatile **p) {
    return REAL(f)->pMethods->xShmMap(REAL(f), i, n, extend, p);
}
static int s_shm_lock(sqlite3_file *f, int at, int n, int flags) {
    return REAL(f)->pMethods->xShmLock(REAL(f), at, n, flags);
}
static void s_shm_barrier(sqlite3_file *f) {
    REAL(f)->pMethods->xShmBarrier(REAL(f));
}
static int s_shm_unmap(sqlite3_file *f, int gone) {
    return REAL(f)->pMethods->xShmUnmap(REAL(f), gone);
}

static const sqlite3_io_methods METHODS = {
    .iVersion = 2,
    .xClose = s_close,
    .xRead = s_read,
    .xWrite = s_write,
    .xTruncate = s_truncate,
    .xSync = s_sync,
    .xFileSize = s_size,
    .xLock = s_lock,
    .xUnlock = s_unlock,
    .xCheckReservedLock = s_reserved,
    .xFileControl = s_control,
    .xSectorSize = s_sector,
    .xDeviceCharacteristics = s_device,
    .xShmMap = s_shm_map,
    .xShmLock = s_shm_lock,
    .xShmBarrier = s_shm_barrier,
    .xShmUnmap = s_shm_unmap,
};

static sqlite3_vfs *real_vfs;

static int s_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out) {
    (void)vfs;
    struct shim_file *s = (struct shim_file *)f;
    s->real = (sqlite3_file *)(s + 1);
    s->base.pMethods = NULL;
    int rc = real_vfs->xOpen(real_vfs, name, s->real, flags, out);
    if (rc == SQLITE_OK) s->base.pMethods = &METHODS;
    return rc;
}

void shim_vfs_register(void) {
    static sqlite3_vfs vfs;
    atomic_store(&shim_room, -1);
    atomic_store(&shim_syncs, 0);
    atomic_store(&shim_fail_sync, 0);
    store_setup();
    if (real_vfs != NULL) return;
    real_vfs = sqlite3_vfs_find(NULL);
    vfs = *real_vfs; /* all that is not about one file goes straight through */
    vfs.zName = SHIM_VFS;
    vfs.pNext = NULL;
    vfs.szOsFile = real_vfs->szOsFile + (int)sizeof(struct shim_file);
    vfs.xOpen = s_open;
    sqlite3_vfs_register(&vfs, 0);
}
