/* A VFS over the default one that counts and fails: how much may still be written before the disk
 * is full, how many syncs happened, and whether the next sync fails. */
#ifndef LUWAK_TESTS_SHIM_VFS_H
#define LUWAK_TESTS_SHIM_VFS_H

#include <stdatomic.h>
#include <stdint.h>

#define SHIM_VFS "shim"

extern _Atomic int64_t shim_room;  /* bytes; -1: as much as you like */
extern _Atomic int64_t shim_syncs; /* of any file */
extern _Atomic int shim_fail_sync; /* the next sync fails with SQLITE_IOERR_FSYNC */

void shim_vfs_register(void); /* and resets the three */

#endif
