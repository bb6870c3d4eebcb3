/* Small files, whole. Blocking: at the start, in commands, on the main thread; never on a worker. */
#ifndef LUWAK_SYS_FILE_READ_H
#define LUWAK_SYS_FILE_READ_H

#include "base/buf.h"
#include "base/err.h"

/* Appends what the regular file holds, `out->max` bytes at most (0: unbounded). E_NOTFOUND, E_INVAL
 * (no regular file), E_LIMIT, E_NOMEM or E_IO; `why` does not name the file, which the caller knows
 * by a better name. Nothing is copied on the way, so wiping `out` wipes a secret. */
int file_read(const char *path, struct buf *out, struct why *why);

#endif
