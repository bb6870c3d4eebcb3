/* Idempotency keys: per merchant and concrete path ("POST /v1/payments"), the same raw bytes give
 * the same answer, and one effect. A key is taken in the commit that makes the object, so of two
 * equal requests one fails there and reads what the other has. Each that is kept
 * made an object (what made none is not stored), and is kept as long as that: for good. */
#ifndef LUWAK_CORE_IDEMPOTENCY_H
#define LUWAK_CORE_IDEMPOTENCY_H

#include "base/buf.h"
#include "core/core.h"

#define IDEMPOTENCY_KEY_MAX 255

/* Printable ASCII, 1 to 255 characters. */
bool idempotency_key_is(struct str key);

struct idempotency {
    struct str merchant, path, key;
    struct str body;   /* raw */
    struct str object; /* what it makes; empty: not known yet */
    int status;        /* the answer, where it is known at once; 0: later */
    struct str answer;
};
int idempotency_take(const struct core *core, struct commit *commit,
                     const struct idempotency *what);

/* Stores the answer; a second one changes nothing. */
void idempotency_answer(struct commit *commit, struct str merchant, struct str path, struct str key,
                        int status, struct str answer, struct str object);

enum idempotency_state {
    IDEMPOTENCY_FREE,     /* nobody has used it */
    IDEMPOTENCY_MISMATCH, /* for another body: 422 */
    IDEMPOTENCY_RUNNING,  /* taken, no answer yet: 409; after a crash: answer from `object` */
    IDEMPOTENCY_ANSWERED, /* status and answer, with the customer's placeholder */
};
struct idempotency_found {
    enum idempotency_state state;
    int status;
    struct str answer, object;
    int64_t at;
    struct rows *rows; /* what the texts point into */
};
int idempotency_find(const struct core *core, struct str merchant, struct str path, struct str key,
                     struct str body, struct idempotency_found *out);
void idempotency_found_free(struct idempotency_found *found);

#endif
