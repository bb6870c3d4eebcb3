/* vfs_disk.c keeps the files, vfs_record.c shows them to SQLite. */
#ifndef LUWAK_STORE_VFS_PRIVATE_H
#define LUWAK_STORE_VFS_PRIVATE_H

#include "store/vfs_record.h"

struct content {
    char *p;
    size_t n, cap;
};

enum change_kind { CHANGE_WRITE, CHANGE_TRUNCATE };

struct change {
    enum change_kind kind;
    int64_t at; /* offset, or the new size */
    size_t n;
    char *bytes;
};

/* One file. A name may have several: the one that is there, and older ones whose deletion is not
 * yet safe. */
struct disk_file {
    struct disk_file *next; /* newest first */
    struct disk *disk;
    char *name;
    struct content live; /* what the process sees */
    struct content safe; /* what a power cut leaves in any case */
    struct change *changes;
    size_t change_count, change_cap;
    bool safe_name; /* the directory entry is safe */
    bool gone;      /* deleted, and that is not yet safe */
    int open;       /* handles */
};

enum disk_verdict { DISK_OK, DISK_IO, DISK_FULL, DISK_NOMEM };

struct disk_file *disk_find(struct disk *disk, const char *name);
struct disk_file *disk_create(struct disk *disk, const char *name);
void disk_close(struct disk_file *file);
enum disk_verdict disk_write(struct disk_file *file, const void *p, size_t n, int64_t at);
enum disk_verdict disk_truncate(struct disk_file *file, int64_t size);
enum disk_verdict disk_sync(struct disk_file *file);
enum disk_verdict disk_remove(struct disk_file *file, bool synced);
bool disk_may_read(struct disk_file *file);

int content_write(struct content *c, const void *p, size_t n, int64_t at);
int content_size(struct content *c, int64_t size);

void vfs_record_setup(void);

#endif
