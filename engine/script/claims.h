/* Numbers that ctx.allocate gave to a call whose facts are not stored yet: they are reserved by the
 * commit that stores those, so that a payment with a number of our own is one commit, not two. Of a
 * large pool a random number is free nearly always. Where it is not, the commit fails at its guard,
 * nothing has happened and nobody has seen the number: the call runs again, with `exact`, and takes its
 * numbers from the store before it goes on. */
#ifndef LUWAK_SCRIPT_CLAIMS_H
#define LUWAK_SCRIPT_CLAIMS_H

#include "store/store.h"

enum {
    CLAIMS_MAX = 2,
    CLAIM_POOL_SIZE = 264,
    CLAIM_HOLDER_SIZE = 64,
    CLAIM_RANGE_MIN = 1000000 /* a smaller pool fills up, and then most guesses fail */
};

struct claims {
    bool exact;
    size_t count;
    struct claim {
        char pool[CLAIM_POOL_SIZE], holder[CLAIM_HOLDER_SIZE];
        int64_t number, until;
    } at[CLAIMS_MAX];
};

/* False: this one must be taken in the store. NULL claims: so must all. */
bool claims_take(struct claims *claims, struct str pool, int64_t range, int64_t number,
                 struct str holder, int64_t until);
void claims_add(const struct claims *claims, struct commit *commit, int64_t now);
bool claims_clash(const struct commit_result *result); /* somebody has one of the numbers */

#endif
