/* A VFS in front of another: what SQLite appends to the WAL, 24 bytes and a page in turns, is gathered
 * and written at once when it is to be synced or read. A group of commits is one write and one sync.
 *
 * Nothing is believed before the sync, so nothing is lost by waiting until then: what could not be
 * written fails the sync, or a write or read before it, and the group with it. */
#ifndef LUWAK_STORE_VFS_GATHER_H
#define LUWAK_STORE_VFS_GATHER_H

#include <sqlite3.h>
#include <stdbool.h>

/* Registers `vfs` (static, of the caller) as `name` in front of `base`. */
void vfs_gather_register(sqlite3_vfs *vfs, const char *name, sqlite3_vfs *base, bool by_default);

#endif
