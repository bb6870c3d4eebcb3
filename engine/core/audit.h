/* The audit log: who changed what. Each line is chained to the one before it by
 *
 *     hash = HMAC(data key, previous hash | number | time | actor | action | object | detail)
 *
 * so that a changed, missing or added line shows (audit_verify, `luwak verify`), to anybody who has
 * the data key. What a chain alone cannot show is a cut tail: that needs its head kept elsewhere. */
#ifndef LUWAK_CORE_AUDIT_H
#define LUWAK_CORE_AUDIT_H

#include "core/core.h"

struct audit_line {
    struct str actor;  /* "operator", "key_...", "script scripts/api/x.lua" */
    struct str action; /* "merchant.suspend" */
    struct str object; /* an id */
    struct str detail; /* JSON without personal data or secrets */
};
/* Must follow the last line: of two at once the second fails with E_STATE (or E_EXISTS) and is
 * built anew. Several lines of one commit: one call. */
int audit_add(const struct core *core, struct commit *commit, const struct audit_line *lines,
              size_t count);

/* Submits the commit with this line behind what it does, so that one is never without the other. Of
 * two lines at once the second follows the first: its commit goes again, as it was built, until it
 * does (E_BUSY after many tries). Takes the commit over, like store_submit; texts are copied.
 * E_NOMEM: nothing happened and `done` is not called. */
int audit_submit(const struct core *core, struct commit *commit, const struct audit_line *line,
                 enum lane lane, struct loop *loop, commit_done_cb done, void *data);

/* Reads the whole chain with the calling thread (commands only). E_CORRUPT: *bad is the first line
 * that does not fit. */
int audit_verify(const struct core *core, int64_t *lines, int64_t *bad);

#endif
