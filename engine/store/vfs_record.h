/* A disk in memory that can lose power: a VFS for SQLite that keeps, beside what the process sees,
 * what is safe (synced) and each write, truncation, creation and deletion that is not yet.
 *
 *   write --> pending --sync of that file--> safe
 *                |------power cut----------> safe, gone, or half there (512-byte sectors)
 *                '------failed sync--------> the process still reads it, the disk never gets it
 *
 * At any moment disk_image() builds a disk as a power cut could leave it. Files are independent: of
 * two unsynced writes to two files either may be there without the other; what a sync covered is
 * always there. A new name is safe with the first sync of its file, a deletion when it is synced.
 * A write changes no byte outside itself, as SQLite assumes of today's disks (powersafe overwrite).
 *
 * A store uses it through store_options {path = disk_path(d), vfs = VFS_RECORD, inline_on = ...}.
 * Each disk has a path of its own that is never used again. All is one thread's. Locks are not
 * kept: one connection per file, as the inline store has. */
#ifndef LUWAK_STORE_VFS_RECORD_H
#define LUWAK_STORE_VFS_RECORD_H

#include "base/err.h"
#include "base/rng.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VFS_RECORD "record"

struct disk;

int disk_new(struct disk **out, uint64_t seed);
void disk_delete(struct disk *disk); /* every file of it is closed */
const char *disk_path(const struct disk *disk);

/* ---- power ---- */

enum disk_image {
    IMAGE_NONE, /* nothing that was not synced */
    IMAGE_ALL,  /* all of it */
    IMAGE_SOME, /* each unsynced change or not, by chance; lost ones in any order */
    IMAGE_TORN, /* the same, and of one write only some sectors, one of them mixed */
};

int disk_image(const struct disk *disk, enum disk_image kind, struct rng *rng, struct disk **out);

/* From now on nothing reaches the disk, and who writes reads it back all the same: for taking down
 * what was running when the power failed. */
void disk_cut(struct disk *disk);

/* Changes whenever an image of what is safe would change. */
uint64_t disk_safe_version(const struct disk *disk);
size_t disk_pending(const struct disk *disk); /* unsynced changes */

void disk_sync_names(struct disk *disk);     /* fsync of the directory */
struct disk *disk_of_path(const char *name); /* whose path begins the name; NULL: no disk's */

/* Called before each write, truncation, deletion and sync, while the disk is as it was. */
void disk_watch(struct disk *disk, void (*before)(struct disk *disk, void *data), void *data);

/* ---- faults ---- */

enum disk_fault {
    DISK_WRITE_ERROR,
    DISK_WRITE_FULL,
    DISK_SYNC_ERROR, /* and what was pending in that file is dropped or kept, by chance */
    DISK_READ_ERROR,
    DISK_FAULTS_
};

/* The nth such call from now on fails, once; 0 switches it off. */
void disk_fail(struct disk *disk, enum disk_fault fault, uint64_t nth);
bool disk_failed(const struct disk *disk, enum disk_fault fault); /* did it happen? */
void disk_quota(struct disk *disk, int64_t bytes);                /* of all files; -1: none */
int64_t disk_used(const struct disk *disk);

struct disk_counts {
    uint64_t writes, syncs, truncations, deletions, reads;
};
struct disk_counts disk_counts(const struct disk *disk);

#endif
