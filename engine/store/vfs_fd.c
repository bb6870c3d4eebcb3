/* See vfs_fd.h. One connection writes the file from its beginning and nobody else has it: no locks.
 * Its journal holds nothing, and syncing is the caller's: a copy that fails is thrown away whole. */
#include "store/vfs_fd.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PREFIX "fd-"

struct fd_file {
    sqlite3_file base;
    int fd; /* -1: the journal */
};

static int fd_of(sqlite3_file *file) {
    return ((struct fd_file *)file)->fd;
}

static int nothing(sqlite3_file *file) {
    (void)file;
    return SQLITE_OK;
}

static int nothing_of(sqlite3_file *file, int what) {
    (void)file, (void)what;
    return SQLITE_OK;
}

static int fd_read(sqlite3_file *file, void *p, int n, sqlite3_int64 at) {
    char *to = p;
    while (n > 0 && fd_of(file) >= 0) {
        ssize_t got = pread(fd_of(file), to, (size_t)n, at);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return SQLITE_IOERR_READ;
        if (got == 0) break;
        to += got, at += got, n -= (int)got;
    }
    memset(to, 0, (size_t)n);
    return n == 0 ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
}

static int fd_write(sqlite3_file *file, const void *p, int n, sqlite3_int64 at) {
    const char *from = p;
    while (n > 0 && fd_of(file) >= 0) {
        ssize_t put = pwrite(fd_of(file), from, (size_t)n, at);
        if (put < 0 && errno == EINTR) continue;
        if (put <= 0)
            return put == 0 || errno == ENOSPC || errno == EDQUOT || errno == EFBIG
                       ? SQLITE_FULL
                       : SQLITE_IOERR_WRITE;
        from += put, at += put, n -= (int)put;
    }
    return SQLITE_OK;
}

static int fd_truncate(sqlite3_file *file, sqlite3_int64 size) {
    return fd_of(file) < 0 || ftruncate(fd_of(file), size) == 0 ? SQLITE_OK : SQLITE_IOERR_TRUNCATE;
}

static int fd_size(sqlite3_file *file, sqlite3_int64 *size) {
    struct stat st = {0};
    if (fd_of(file) >= 0 && fstat(fd_of(file), &st) != 0) return SQLITE_IOERR_FSTAT;
    *size = st.st_size;
    return SQLITE_OK;
}

static int fd_reserved(sqlite3_file *file, int *out) {
    (void)file;
    *out = 0;
    return SQLITE_OK;
}

static int fd_control(sqlite3_file *file, int op, void *data) {
    (void)file, (void)op, (void)data;
    return SQLITE_NOTFOUND;
}

static int fd_sector(sqlite3_file *file) {
    (void)file;
    return 4096;
}

static const sqlite3_io_methods METHODS = {.iVersion = 1,
                                           .xClose = nothing,
                                           .xRead = fd_read,
                                           .xWrite = fd_write,
                                           .xTruncate = fd_truncate,
                                           .xSync = nothing_of,
                                           .xFileSize = fd_size,
                                           .xLock = nothing_of,
                                           .xUnlock = nothing_of,
                                           .xCheckReservedLock = fd_reserved,
                                           .xFileControl = fd_control,
                                           .xSectorSize = fd_sector,
                                           .xDeviceCharacteristics = nothing};

static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out) {
    (void)vfs;
    struct fd_file *f = (struct fd_file *)file;
    bool main_file = (flags & SQLITE_OPEN_MAIN_DB) != 0;
    f->base.pMethods = NULL;
    if (main_file && (name == NULL || strncmp(name, PREFIX, strlen(PREFIX)) != 0))
        return SQLITE_CANTOPEN;
    f->fd = main_file ? atoi(name + strlen(PREFIX)) : -1;
    f->base.pMethods = &METHODS;
    if (out != NULL) *out = flags;
    return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *name, int sync) {
    (void)vfs, (void)name, (void)sync;
    return SQLITE_OK;
}

static int vfs_access(sqlite3_vfs *vfs, const char *name, int flags, int *out) {
    (void)vfs, (void)name, (void)flags;
    *out = 0; /* no journal, no WAL beside it */
    return SQLITE_OK;
}

static int vfs_full(sqlite3_vfs *vfs, const char *name, int size, char *out) {
    (void)vfs;
    snprintf(out, (size_t)size, "%s", name);
    return SQLITE_OK;
}

void vfs_fd_register(void) {
    static sqlite3_vfs vfs;
    vfs = *sqlite3_vfs_find(NULL);
    vfs.zName = "luwak-fd";
    vfs.pNext = NULL;
    vfs.szOsFile = (int)sizeof(struct fd_file);
    vfs.xOpen = vfs_open;
    vfs.xDelete = vfs_delete;
    vfs.xAccess = vfs_access;
    vfs.xFullPathname = vfs_full;
    sqlite3_vfs_register(&vfs, 0);
}
