/* A unified diff of two texts by lines, three lines of context. For texts of a few thousand lines:
 * where more than DIFF_EDITS lines differ, all of the one is shown out and all of the other in. */
#ifndef LUWAK_BASE_DIFF_H
#define LUWAK_BASE_DIFF_H

#include "base/buf.h"

#define DIFF_EDITS 1000

/* Appends nothing when both are equal. Returns 0 or E_NOMEM. */
int diff_write(struct str a, struct str b, const char *name_a, const char *name_b, struct buf *out);

#endif
