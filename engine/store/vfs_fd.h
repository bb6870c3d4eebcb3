/* An SQLite VFS whose only file is one that is open already: `file:fd-7?vfs=luwak-fd` is the
 * descriptor 7. So a copy is written where this process can open nothing: below another's directory,
 * in another mount namespace. The descriptor stays the caller's. */
#ifndef LUWAK_STORE_VFS_FD_H
#define LUWAK_STORE_VFS_FD_H

void vfs_fd_register(void); /* once, when SQLite is set up */

#endif
